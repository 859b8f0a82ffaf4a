/* env-file.c - KEY=value lines; see the header. */
#include "config/env-file.h"
#include "base/alloc.h"
#include "base/fd.h"
#include "base/path.h"
#include "config/config-file.h"
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char *skip_blanks(char *s) {
        return s + strspn(s, " \t");
}

static void report_at(EnvFileReport report, void *userdata, int line, const char *start, const char *at, const char *text) {
        EnvFileFault fault = { .line = line, .column = (int) (at - start) + 1 };
        snprintf(fault.text, sizeof(fault.text), "%s", text);
        report(&fault, userdata);
}

/* 'literal' or "quoted" at @s, unescaped in place; the place after the closing quote, or NULL. */
static char *unquote(char *s, char **ret_value) {
        char quote = *s++, *out = s;

        *ret_value = out;
        for (; *s; s++) {
                if (*s == quote) {
                        *out = 0;
                        return s + 1;
                }
                if (quote == '"' && *s == '\\' && s[1] && strchr("\"\\$`nt", s[1])) {
                        s++;
                        *out++ = *s == 'n' ? '\n' : *s == 't' ? '\t' : *s;
                } else
                        *out++ = *s;
        }
        return NULL;
}

static void trim_end(char *s) {
        size_t n = strlen(s);
        while (n > 0 && strchr(" \t\r", s[n - 1]))
                s[--n] = 0;
}

/* The value that begins at @s, or NULL with the place and the text of the fault. */
static char *parse_value(char *s, const char **ret_at, const char **ret_fault) {
        char *value, *rest;

        if (*s != '"' && *s != '\'') {
                trim_end(s);
                return s;
        }
        *ret_at = s;
        rest = unquote(s, &value);
        if (!rest) {
                *ret_fault = "this quote is never closed in its line";
                return NULL;
        }
        rest = skip_blanks(rest);
        if (*rest && *rest != '\r' && *rest != '#') {
                *ret_at = rest;
                *ret_fault = "nothing but a comment may follow a quoted value";
                return NULL;
        }
        return value;
}

static int parse_line(char *start, int line, EnvFileAdd add, EnvFileReport report, void *userdata) {
        const char *at = NULL, *fault = NULL;
        char *s = skip_blanks(start), *equals, *value;

        if (!*s || *s == '#' || *s == ';' || *s == '\r')
                return 0;
        if (strncmp(s, "export", 6) == 0 && (s[6] == ' ' || s[6] == '\t'))
                s = skip_blanks(s + 6);
        equals = strchr(s, '=');
        if (!equals || equals == s) {
                report_at(report, userdata, line, start, s, "expected KEY=value");
                return 0;
        }
        if (equals[-1] == ' ' || equals[-1] == '\t') {
                report_at(report, userdata, line, start, equals, "no blank may stand before the =");
                return 0;
        }
        *equals = 0;
        value = parse_value(skip_blanks(equals + 1), &at, &fault);
        if (!value) {
                report_at(report, userdata, line, start, at, fault);
                return 0;
        }
        return add(s, value, line, userdata);
}

int env_file_parse(char *text, EnvFileAdd add, EnvFileReport report, void *userdata) {
        int line = 1;

        for (char *s = text, *end; s; s = end, line++) {
                end = strchr(s, '\n');
                if (end)
                        *end++ = 0;
                int r = parse_line(s, line, add, report, userdata);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* What root can read and the pool's user cannot must not become his by a link that he put into its place. A file of his
 * own he can read anyway. */
static int check_place(const char *path, int fd, uid_t own, uid_t user, EnvFileFault *fault) {
        _cleanup_free_ char *named = NULL;
        char link[40], reached[PATH_MAX];
        struct stat st;
        ssize_t n;
        int r;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (user == own || st.st_uid == user)
                return 0;
        r = path_resolve(path, &named);
        if (r < 0) {
                (void) snprintf(fault->text, sizeof(fault->text), r == -EPERM ? "a symbolic link that others can change leads to it"
                                                                              : "cannot find out where it is: %s", strerror(-r));
                return r;
        }
        (void) snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, reached, sizeof(reached) - 1);
        reached[MAX(n, 0)] = 0;
        if (st.st_nlink == 1 && streq(reached, named))
                return 0;
        (void) snprintf(fault->text, sizeof(fault->text), "a file that is not the pool's user's own must have one name only, and stay there");
        return -EPERM;
}

int env_file_read(const char *path, uid_t own, uid_t user, char **ret, EnvFileFault *fault) {
        const uid_t owners[] = { 0, own, user };
        _cleanup_free_ char *data = NULL;
        _cleanup_fd_ int fd = config_file_open(path, owners, ARRAY_SIZE(owners), fault->text, sizeof(fault->text));
        size_t size;
        int r = fd < 0 ? fd : check_place(path, fd, own, user, fault);

        fault->line = fault->column = 0;
        if (r >= 0)
                r = config_file_read_fd(fd, ENV_FILE_MAX, &data, &size, fault->text, sizeof(fault->text));
        if (r < 0)
                return r == -ENOMEM ? r : -EBADMSG;
        if (memchr(data, 0, size)) {
                snprintf(fault->text, sizeof(fault->text), "a NUL byte in the file");
                return -EBADMSG;
        }
        *ret = TAKE_PTR(data);
        return 0;
}

/* import-expand.c - expansions. Pure but for getenv(3). */
#include "ctl/import-expand.h"

#include "base/alloc.h"
#include <stdio.h>

/* "02d", "d", "s": how a number is written. Width 20 at most. */
static void put_number(Text *out, unsigned n, const char *format, size_t length) {
        bool is_padded = length > 0 && *format == '0';
        int width = 0;

        for (size_t i = 0; i + 1 < length && format[i] >= '0' && format[i] <= '9'; i++)
                width = MIN(width * 10 + (format[i] - '0'), 20);
        if (is_padded)
                text_appendf(out, "%0*u", width, n);
        else
                text_appendf(out, "%*u", width, n);
}

static bool put_name(Text *out, const char *name, const char *format, size_t length, const ExpandNames *names) {
        const char *value = NULL;

        if (streq(name, "process_num") || streq(name, "numprocs")) {
                put_number(out, streq(name, "numprocs") ? names->n_processes : names->process, format, length);
                return true;
        }
        if (strncmp(name, "ENV_", 4) == 0)
                value = getenv(name + 4);
        else if (streq(name, "program_name"))
                value = names->program;
        else if (streq(name, "group_name"))
                value = names->group;
        else if (streq(name, "here"))
                value = names->here;
        else if (streq(name, "host_node_name"))
                value = names->host;
        text_append(out, value ? value : "");
        return value != NULL;
}

/* "%(name)FORMAT" at @p: its length, or 0 when it is none. */
static size_t take_expansion(Text *out, const char *p, const ExpandNames *names, char ret_unknown[static 64]) {
        const char *close = p[1] == '(' ? strchr(p, ')') : NULL;
        char name[64];

        if (!close || close - p - 2 >= (long) sizeof(name))
                return 0;
        snprintf(name, sizeof(name), "%.*s", (int) (close - p - 2), p + 2);
        size_t length = strspn(close + 1, "0123456789");
        if (!close[1 + length] || !strchr("sdiu", close[1 + length]))
                return 0;
        if (!put_name(out, name, close + 1, length + 1, names)) {
                if (!*ret_unknown)
                        memcpy(ret_unknown, name, sizeof(name));
                text_append_n(out, p, (size_t) (close - p) + length + 2);
        }
        return (size_t) (close - p) + length + 2;
}

void import_expand(Text *out, const char *value, const ExpandNames *names, char ret_unknown[static 64]) {
        *ret_unknown = '\0';
        for (const char *p = value; *p;) {
                size_t n = *p == '%' ? take_expansion(out, p, names, ret_unknown) : 0;
                if (n == 0) {
                        text_append_char(out, *p);
                        n = p[0] == '%' && p[1] == '%' ? 2 : 1;
                }
                p += n;
        }
}

/* A value in quotes, or up to the next comma or line. */
static int take_value(const char **p, Text *value) {
        const char *s = *p;

        if (*s == '"' || *s == '\'') {
                const char *end = strchr(s + 1, *s);
                if (!end)
                        return -EBADMSG;
                text_append_n(value, s + 1, (size_t) (end - s) - 1);
                *p = end + 1;
                return 0;
        }
        size_t n = strcspn(s, ",\n");
        *p = s + n;
        while (n && strchr(" \t\r", s[n - 1]))
                n--;
        text_append_n(value, s, n);
        return 0;
}

int import_environment(const char *value, json_t *env) {
        for (const char *p = value; *(p += strspn(p, " \t\r\n,"));) {
                size_t n = strcspn(p, "=,\n \t");
                _cleanup_free_ char *key = alloc_strndup(p, n);
                _cleanup_text_ Text text = {};
                p += n;
                p += strspn(p, " \t");
                if (*p != '=' || n == 0)
                        return -EBADMSG;
                p++;
                p += strspn(p, " \t");
                if (take_value(&p, &text) < 0)
                        return -EBADMSG;
                if (!key || text_check(&text) < 0 ||
                    json_object_set_new(env, key, json_string(text.data ? text.data : "")) < 0)
                        return -ENOMEM;
        }
        return 0;
}

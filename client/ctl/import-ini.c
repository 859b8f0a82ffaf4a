/* import-ini.c - INI files, line by line. */
#include "ctl/import-ini.h"

#include "base/alloc.h"
#include "base/file.h"

#define INI_MAX (4u << 20)
#define INI_SECTIONS_MAX 4096u
#define INI_VALUE_MAX (64u << 10)

void ini_done(Ini *ini) {
        for (size_t i = 0; i < ini->n_sections; i++) {
                IniSection *s = &ini->sections[i];
                for (size_t k = 0; k < s->n_entries; k++) {
                        free(s->entries[k].key);
                        free(s->entries[k].value);
                }
                free(s->entries);
                free(s->file);
                free(s->name);
        }
        free(ini->sections);
        *ini = (Ini){};
}

const IniEntry *ini_get(const IniSection *s, const char *key) {
        for (size_t i = s ? s->n_entries : 0; i-- > 0;)
                if (streq(s->entries[i].key, key))
                        return &s->entries[i];
        return NULL;
}

const IniSection *ini_section(const Ini *ini, const char *name) {
        for (size_t i = 0; i < ini->n_sections; i++)
                if (streq(ini->sections[i].name, name))
                        return &ini->sections[i];
        return NULL;
}

/* Without blanks around it. */
static char *trimmed(const char *s, size_t n) {
        while (n && strchr(" \t\r", *s)) {
                s++;
                n--;
        }
        while (n && strchr(" \t\r", s[n - 1]))
                n--;
        return alloc_strndup(s, n);
}

static int open_section(Ini *ini, const char *path, unsigned line, const char *s, size_t n) {
        const char *end = memchr(s, ']', n);

        if (!end)
                return -EBADMSG;
        if (ini->n_sections >= INI_SECTIONS_MAX)
                return -EFBIG;
        if (alloc_grow(&ini->sections, &ini->capacity, ini->n_sections + 1, sizeof(*ini->sections)) < 0)
                return -ENOMEM;
        IniSection *section = &ini->sections[ini->n_sections++];
        *section = (IniSection){.file = alloc_strdup(path), .name = trimmed(s + 1, (size_t) (end - s) - 1), .line = line};
        return section->file && section->name ? 0 : -ENOMEM;
}

/* Up to a comment: ; or # after a blank. */
static size_t without_comment(const char *s, size_t n) {
        for (size_t i = 1; i < n; i++)
                if ((s[i] == ';' || s[i] == '#') && (s[i - 1] == ' ' || s[i - 1] == '\t'))
                        return i;
        return n;
}

static int add_entry(IniSection *section, unsigned line, const char *s, size_t n) {
        size_t at = 0;

        while (at < n && s[at] != '=' && s[at] != ':')
                at++;
        if (at == n || at == 0)
                return -EBADMSG;
        if (alloc_grow(&section->entries, &section->capacity, section->n_entries + 1, sizeof(*section->entries)) < 0)
                return -ENOMEM;
        IniEntry *e = &section->entries[section->n_entries++];
        *e = (IniEntry){.key = trimmed(s, at), .value = trimmed(s + at + 1, n - at - 1), .line = line};
        if (!e->key || !e->value)
                return -ENOMEM;
        for (char *p = e->key; *p; p++)
                *p = *p >= 'A' && *p <= 'Z' ? (char) (*p - 'A' + 'a') : *p;
        return 0;
}

static int go_on(IniSection *section, const char *s, size_t n) {
        IniEntry *e = &section->entries[section->n_entries - 1];
        if (strlen(e->value) + n > INI_VALUE_MAX)
                return -EFBIG;
        _cleanup_free_ char *more = trimmed(s, n);
        char *value = more ? alloc_printf("%s%s%s", e->value, *e->value ? "\n" : "", more) : NULL;

        if (!value)
                return -ENOMEM;
        free(e->value);
        e->value = value;
        return 0;
}

static int take_line(Ini *ini, size_t first, const char *path, unsigned line, const char *s, size_t n) {
        IniSection *section = ini->n_sections > first ? &ini->sections[ini->n_sections - 1] : NULL;
        bool is_indented = n && (*s == ' ' || *s == '\t');

        if (n && (*s == '#' || *s == ';'))
                return 0;
        n = without_comment(s, n);
        if (strspn(s, " \t\r") >= n)
                return 0;
        if (is_indented)
                return section && section->n_entries ? go_on(section, s, n) : -EBADMSG;
        if (*s == '[')
                return open_section(ini, path, line, s, n);
        return section ? add_entry(section, line, s, n) : -EBADMSG;
}

int ini_read(Ini *ini, const char *path, unsigned *ret_line) {
        _cleanup_free_ char *text = NULL;
        size_t size, first = ini->n_sections;
        unsigned line = 0;
        int r = file_read(path, INI_MAX, &text, &size);

        *ret_line = 0;
        for (const char *p = text; r >= 0 && *p;) {
                size_t n = strcspn(p, "\n");
                r = take_line(ini, first, path, ++line, p, n);
                if (r < 0)
                        *ret_line = line;
                p += n + (p[n] == '\n');
        }
        return r;
}

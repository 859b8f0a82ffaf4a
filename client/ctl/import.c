/* import.c - what the readers share: pools, comments, notes, the file. */
#include "ctl/import.h"

#include "base/alloc.h"
#include "base/parse.h"
#include "ctl/output.h"
#include <stdarg.h>
#include <stdio.h>

void import_init(Import *im) {
        *im = (Import){.top = json_object()};
}

void import_done(Import *im) {
        for (size_t i = 0; i < im->n_pools; i++) {
                free(im->pools[i].name);
                json_decref(im->pools[i].keys);
                text_done(&im->pools[i].comments);
        }
        free(im->pools);
        json_decref(im->top);
        text_done(&im->comments);
        text_done(&im->notes);
        *im = (Import){};
}

void import_note(Import *im, const char *file, unsigned line, const char *key, const char *fmt, ...) {
        _cleanup_text_ Text t = {};
        char text[2048];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        escape_append(&t, file);
        if (line)
                text_appendf(&t, ":%u", line);
        text_append(&t, ": ");
        escape_append(&t, key);
        text_append(&t, ": ");
        escape_append(&t, text);
        text_append_char(&t, '\n');
        if (text_check(&t) < 0)
                im->notes.failed = true;
        else if (!im->notes.data || !strstr(im->notes.data, t.data)) { /* once for all pools of a program */
                text_append_n(&im->notes, t.data, t.length);
                im->n_notes++;
        }
}

char *import_name(const char *wanted) {
        char name[NAME_LENGTH_MAX + 1];
        size_t n = 0;

        for (const char *p = wanted; *p && n < NAME_LENGTH_MAX; p++) {
                char c = *p >= 'A' && *p <= 'Z' ? (char) (*p - 'A' + 'a') : *p;
                bool is_word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
                if (!is_word && (n == 0 || (c != '_' && c != '-' && c != '.')))
                        c = n == 0 ? '\0' : '-';
                if (c == '.' && n > 0 && name[n - 1] == '.')
                        c = '-';
                if (c)
                        name[n++] = c;
        }
        name[n] = '\0';
        return alloc_strdup(n ? name : "program");
}

static bool is_taken(const Import *im, const char *name) {
        for (size_t i = 0; i < im->n_pools; i++)
                if (streq(im->pools[i].name, name))
                        return true;
        return streq(name, "all");
}

int import_pool(Import *im, const char *wanted, const char *file, unsigned line) {
        _cleanup_free_ char *base = import_name(wanted), *name = base ? alloc_strdup(base) : NULL;

        for (unsigned i = 2; name && is_taken(im, name); i++) {
                free(name);
                name = alloc_printf("%.*s-%u", NAME_LENGTH_MAX - 8, base, i);
        }
        if (!name || alloc_grow(&im->pools, &im->capacity, im->n_pools + 1, sizeof(*im->pools)) < 0)
                return -ENOMEM;
        json_t *keys = json_object();
        if (!keys)
                return -ENOMEM;
        if (!streq(name, wanted))
                import_note(im, file, line, wanted, "the pool is called %s: names are [a-z0-9][a-z0-9_.-]* and differ", name);
        im->pools[im->n_pools] = (ImportPool){.name = TAKE_PTR(name), .keys = keys};
        return (int) im->n_pools++;
}

void import_comment(Import *im, int pool, const char *fmt, ...) {
        Text *t = pool >= 0 ? &im->pools[pool].comments : &im->comments;
        char text[1024];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        escape_append(t, text);
        text_append_char(t, '\n');
}

void import_set(Import *im, int pool, const char *key, json_t *value_consume) {
        json_t *o = pool >= 0 ? im->pools[pool].keys : im->top;

        for (const char *dot; (dot = strchr(key, '.')); key = dot + 1) {
                _cleanup_free_ char *part = alloc_strndup(key, (size_t) (dot - key));
                json_t *inner = part ? json_object_get(o, part) : NULL;
                if (part && !json_is_object(inner)) {
                        inner = json_object();
                        (void) json_object_set_new(o, part, inner);
                }
                o = inner;
        }
        (void) json_object_set_new(o, key, value_consume);
}

/* Each line of @s behind @indent; the first one where we stand when @is_inline. */
static void put_indented(Text *out, const char *s, const char *indent, bool is_inline) {
        while (*s) {
                size_t n = strcspn(s, "\n");
                if (!is_inline)
                        text_append(out, indent);
                is_inline = false;
                text_append_n(out, s, n);
                s += n + (s[n] == '\n');
                if (*s)
                        text_append_char(out, '\n');
        }
}

static void put_comments(Text *out, const Text *comments, const char *indent) {
        _cleanup_free_ char *prefix = alloc_printf("%s// ", indent);

        if (!comments->length || !prefix)
                return;
        put_indented(out, comments->data, prefix, false);
        text_append_char(out, '\n');
}

static void put_value(Text *out, const json_t *v, const char *indent) {
        _cleanup_free_ char *s = json_dumps(v, JSON_ENCODE_ANY | JSON_INDENT(2) | JSON_REAL_PRECISION(15));

        if (s)
                put_indented(out, s, indent, true);
        else
                out->failed = true;
}

/* One key a line, its value on the same line: as people write these files. */
static void put_pool(Text *out, const ImportPool *p) {
        const char *key, *gap = "\n";
        json_t *v;

        put_comments(out, &p->comments, "    ");
        text_appendf(out, "    \"%s\": {", p->name);
        json_object_foreach(p->keys, key, v) {
                _cleanup_free_ char *s = json_dumps(v, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
                text_appendf(out, "%s      \"%s\": ", gap, key);
                if (s && strlen(s) <= 90)
                        text_append(out, s);
                else
                        put_value(out, v, "      ");
                gap = ",\n";
        }
        text_append(out, "\n    }");
}

void import_put(const Import *im, Text *out, const char *from) {
        const char *key;
        json_t *v;

        text_append(out, "// Made from ");
        escape_append(out, from);
        text_append(out, " by droverctl import. Check it with: droverd --check -c FILE\n");
        put_comments(out, &im->comments, "");
        text_append(out, "{\n");
        json_object_foreach(im->top, key, v) {
                text_appendf(out, "  \"%s\": ", key);
                put_value(out, v, "  ");
                text_append(out, ",\n");
        }
        text_append(out, "  \"pools\": {");
        for (size_t i = 0; i < im->n_pools; i++) {
                text_append(out, i ? ",\n\n" : "\n");
                put_pool(out, &im->pools[i]);
        }
        text_append(out, im->n_pools ? "\n  }\n}\n" : "}\n}\n");
}

/* One word at *@p, which is moved behind it. -EBADMSG: its quote does not end. */
static int split_word(const char **p, Text *word) {
        const char *s = *p;
        char quote = 0;

        for (; *s && (quote || !strchr(" \t\r\n", *s)); s++) {
                if (!quote && (*s == '\'' || *s == '"'))
                        quote = *s;
                else if (quote && *s == quote)
                        quote = 0;
                else if (*s == '\\' && quote != '\'' && s[1] && (!quote || s[1] == quote || s[1] == '\\'))
                        text_append_char(word, *++s);
                else
                        text_append_char(word, *s);
        }
        *p = s;
        return quote ? -EBADMSG : 0;
}

json_t *import_split(const char *text) {
        json_t *words = json_array();

        for (const char *p = text; words && *(p += strspn(p, " \t\r\n"));) {
                _cleanup_text_ Text word = {};
                if (split_word(&p, &word) < 0 || text_check(&word) < 0 ||
                    json_array_append_new(words, json_string(word.data ? word.data : "")) < 0) {
                        json_decref(words);
                        return NULL;
                }
        }
        return words;
}

/* json-lines.c - one walk over the text that goes down only where the path leads. */
#include "ctl/json-lines.h"

#include <stdio.h>

typedef struct Walk {
        const char *p;
        unsigned line;
} Walk;

static void skip_blank(Walk *w) {
        for (; *w->p && strchr(" \t\r\n,:", *w->p); w->p++)
                w->line += *w->p == '\n';
}

static void skip_string(Walk *w) {
        for (w->p++; *w->p && *w->p != '"'; w->p++)
                if (*w->p == '\\' && w->p[1])
                        w->p++;
        w->p += *w->p == '"';
}

/* A value of any kind; nesting is counted, not followed. */
static void skip_value(Walk *w) {
        size_t depth = 0;

        do {
                skip_blank(w);
                if (*w->p == '"')
                        skip_string(w);
                else if (*w->p == '{' || *w->p == '[') {
                        depth++;
                        w->p++;
                } else if (*w->p == '}' || *w->p == ']') {
                        depth -= depth > 0;
                        w->p++;
                } else
                        while (*w->p && !strchr(" \t\r\n,:{}[]\"", *w->p))
                                w->p++;
        } while (depth && *w->p);
}

/* Into the object or array at which we stand, up to the member @name. */
static bool go_to(Walk *w, const char *name) {
        bool is_object = *w->p == '{';
        size_t n = strlen(name);
        char index[24];

        if (!is_object && *w->p != '[')
                return false;
        w->p++;
        for (size_t i = 0;; i++) {
                skip_blank(w);
                if (!*w->p || *w->p == '}' || *w->p == ']')
                        return false;
                if (is_object) {
                        const char *key = w->p + 1;
                        if (strncmp(key, name, n) == 0 && key[n] == '"')
                                return true;
                        skip_value(w);
                } else {
                        snprintf(index, sizeof(index), "%zu", i);
                        if (streq(index, name))
                                return true;
                }
                skip_value(w);
        }
}

unsigned json_line_of(const char *text, const char *const *path) {
        Walk w = {.p = text, .line = 1};

        for (; *path; path++) {
                skip_blank(&w);
                bool is_object = *w.p == '{';
                if (!go_to(&w, *path))
                        return 0;
                if (path[1] && is_object) { /* from the key to its value */
                        skip_value(&w);
                        skip_blank(&w);
                }
        }
        return w.line;
}

/* glob.c - one pass with one place to come back to.
 *
 * When a character does not match, the last star takes one more and what follows it is tried again. Going back to a star
 * before that one is never needed: whatever the earlier one would take, the later one could leave. With GLOB_PATH no star
 * crosses a '/', and the n-th '/' of the pattern always stands at the n-th one of the text, so the same holds. */
#include "base/glob.h"

static bool in_range(const uint8_t *from, const uint8_t *to, uint8_t c) {
        return *from <= c && c <= *to;
}

/* The bracket at @p: where it ends, or NULL when it is not closed and so only a '['. */
static const char *bracket_match(const char *p, uint8_t c, bool *ret) {
        const uint8_t *s = (const uint8_t *) p + 1;
        bool is_negated = *s == '!' || *s == '^', is_found = false;

        s += is_negated;
        for (const uint8_t *first = s; *s != ']' || s == first; s++) {
                if (*s == '\\' && s[1])
                        s++;
                if (!*s)
                        return NULL;
                if (s[1] == '-' && s[2] && s[2] != ']') {
                        is_found |= in_range(s, s + 2, c);
                        s += 2;
                } else
                        is_found |= *s == c;
        }
        *ret = is_found != is_negated;
        return (const char *) s + 1;
}

/* One character of the text against what stands at @glob. Return: what comes next in the pattern, or NULL. */
static const char *one_match(const char *glob, char c, unsigned flags) {
        bool is_slash = c == '/' && (flags & GLOB_PATH), is_in = false;
        const char *end;

        if (*glob == '?')
                return is_slash ? NULL : glob + 1;
        if (*glob == '[') {
                end = bracket_match(glob, (uint8_t) c, &is_in);
                if (end)
                        return is_in && !is_slash ? end : NULL;
        }
        if (*glob == '\\' && glob[1])
                glob++;
        return *glob == c ? glob + 1 : NULL;
}

bool glob_match(const char *glob, const char *text, unsigned flags) {
        const char *star = NULL, *star_text = NULL;

        while (*text) {
                const char *next;

                if (*glob == '*') {
                        star = ++glob;
                        star_text = text;
                        continue;
                }
                next = one_match(glob, *text, flags);
                if (next) {
                        glob = next;
                        text++;
                        continue;
                }
                if (!star || (*star_text == '/' && (flags & GLOB_PATH)))
                        return false;
                glob = star;
                text = ++star_text;
        }
        while (*glob == '*')
                glob++;
        return *glob == '\0';
}

bool glob_has_magic(const char *s) {
        return strpbrk(s, "*?[") != NULL;
}

/* json-relax.c - comments and trailing commas become spaces. */
#include "ctl/json-relax.h"

static size_t skip_string(const char *text, size_t size, size_t i) {
        for (i++; i < size && text[i] != '"' && text[i] != '\n'; i++)
                if (text[i] == '\\')
                        i++;
        return MIN(i + 1, size);
}

/* The end of a comment that begins at @i, or @i when none does. */
static size_t skip_comment(const char *text, size_t size, size_t i) {
        char next = i + 1 < size ? text[i + 1] : '\0';

        if (text[i] == '#' || (text[i] == '/' && next == '/')) {
                while (i < size && text[i] != '\n')
                        i++;
                return i;
        }
        if (text[i] != '/' || next != '*')
                return i;
        for (size_t k = i + 2; k + 1 < size; k++)
                if (text[k] == '*' && text[k + 1] == '/')
                        return k + 2;
        return i; /* never closed: the parser stumbles over it at the right place */
}

void json_relax(char *text, size_t size) {
        size_t comma = SIZE_MAX; /* of the last comma with nothing but space behind it so far */
        char before =
                '{'; /* the last character that is no space: a comma after an opening is not a trailing one */

        for (size_t i = 0; i < size;) {
                size_t end = skip_comment(text, size, i);
                char c = text[i];
                if (end > i) {
                        for (; i < end; i++)
                                if (text[i] != '\n')
                                        text[i] = ' ';
                        continue;
                }
                if ((c == '}' || c == ']') && comma != SIZE_MAX)
                        text[comma] = ' ';
                bool is_space = c == ' ' || c == '\t' || c == '\r' || c == '\n';
                if (!is_space) {
                        comma = c == ',' && before != '{' && before != '[' ? i : SIZE_MAX;
                        before = c;
                }
                i = c == '"' ? skip_string(text, size, i) : i + 1;
        }
}

/* alloc.c - every allocation of the house that is not jansson's passes through allowed(), so that a test can make
 * any single one fail. The counter belongs to tests: a program never touches it, and with one thread a program it
 * needs no lock. */
#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>

#define CAPACITY_MIN 8

static unsigned long fail_countdown;

void alloc_fail_at(unsigned long n) {
        fail_countdown = n;
}

static bool allowed(void) {
        return fail_countdown == 0 || --fail_countdown > 0;
}

void *alloc_zero(size_t n, size_t size) {
        size_t total;

        if (__builtin_mul_overflow(n, size, &total) || !allowed())
                return NULL;
        return calloc(1, MAX(total, (size_t) 1));
}

void *alloc_resize(void *p, size_t size) {
        return allowed() ? realloc(p, MAX(size, (size_t) 1)) : NULL;
}

int alloc_grow(void *array, size_t *capacity, size_t need, size_t size) {
        size_t want = MAX(need, *capacity + *capacity / 2), total;
        char *old, *grown;

        if (need <= *capacity)
                return 0;
        want = MAX(want, (size_t) CAPACITY_MIN);
        if (__builtin_mul_overflow(want, size, &total))
                return -EOVERFLOW;
        memcpy(&old, array, sizeof(old));
        grown = alloc_resize(old, total);
        if (!grown)
                return -ENOMEM;
        memset(grown + *capacity * size, 0, total - *capacity * size);
        memcpy(array, &grown, sizeof(grown));
        *capacity = want;
        return 0;
}

char *alloc_strndup(const char *s, size_t n) {
        size_t length;
        char *copy;

        if (!s)
                return NULL;
        length = strnlen(s, n);
        copy = alloc_resize(NULL, length + 1);
        if (!copy)
                return NULL;
        memcpy(copy, s, length);
        copy[length] = 0;
        return copy;
}

char *alloc_strdup(const char *s) {
        return s ? alloc_strndup(s, strlen(s)) : NULL;
}

char *alloc_variable(const char *name, const char *value) {
        size_t n = strlen(name), m = strlen(value);
        char *s = alloc_resize(NULL, n + m + 2);

        if (!s)
                return NULL;
        memcpy(s, name, n);
        s[n] = '=';
        memcpy(s + n + 1, value, m + 1);
        return s;
}

char *alloc_printf(const char *fmt, ...) {
        char *text = NULL;
        va_list ap;
        int n;

        if (!allowed())
                return NULL;
        va_start(ap, fmt);
        n = vasprintf(&text, fmt, ap);
        va_end(ap);
        return n < 0 ? NULL : text;
}

char **strv_free(char **v) {
        if (v)
                for (char **i = v; *i; i++)
                        free(*i);
        free(v);
        return NULL;
}

size_t strv_length(const char *const *v) {
        size_t n = 0;

        while (v && v[n])
                n++;
        return n;
}

char **strv_copy(const char *const *v) {
        size_t n = strv_length(v);
        _cleanup_(strv_freep) char **copy = NEW0_ARRAY(char *, n + 1);

        if (!copy)
                return NULL;
        for (size_t i = 0; i < n; i++) {
                copy[i] = alloc_strdup(v[i]);
                if (!copy[i])
                        return NULL;
        }
        return TAKE_PTR(copy);
}

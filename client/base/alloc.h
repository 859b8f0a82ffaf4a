/* alloc.h - zeroing and growing allocation with overflow check, and the hook by which tests make the n-th
 * allocation fail. Memory is released with free(). */
#ifndef DROVER_BASE_ALLOC_H
#define DROVER_BASE_ALLOC_H

#include "base/macro.h"

/** alloc_zero() - zeroed array of @n times @size bytes; NULL when memory is short or the product overflows. */
void *alloc_zero(size_t n, size_t size) _warn_unused_;
#define NEW0(type) ((type *) alloc_zero(1, sizeof(type)))
#define NEW0_ARRAY(type, n) ((type *) alloc_zero((n), sizeof(type)))

/** alloc_resize() - realloc(); @p stays as it was on failure (NULL). */
void *alloc_resize(void *p, size_t size) _warn_unused_;

/**
 * alloc_grow() - make room for @need elements of @size bytes in the array *@array of capacity *@capacity
 * Grows at least by half; new elements are zeroed. Return: 0, -ENOMEM (array unchanged), -EOVERFLOW.
 */
int alloc_grow(void *array, size_t *capacity, size_t need, size_t size) _warn_unused_;

char *alloc_strdup(const char *s) _warn_unused_;             /* NULL in gives NULL out */
char *alloc_strndup(const char *s, size_t n) _warn_unused_;
char *alloc_variable(const char *name, const char *value) _warn_unused_; /* "NAME=VALUE" */
char *alloc_printf(const char *fmt, ...) _printf_(1, 2) _warn_unused_;

/* A NULL-terminated array of strings, freed with its strings. NULL is accepted. Returns NULL. */
char **strv_free(char **v);
DEFINE_CLEANUP(char *, strv_free);
char **strv_copy(const char *const *v) _warn_unused_;
size_t strv_length(const char *const *v);

/** alloc_fail_at() - tests only: the @n-th allocation from now fails (and @n of 0 switches that off). */
void alloc_fail_at(unsigned long n);

#endif

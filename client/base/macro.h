/* macro.h - attributes, cleanup helpers, ownership hand-over. No state, no owner, any thread. */
#ifndef DROVER_BASE_MACRO_H
#define DROVER_BASE_MACRO_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define container_of(ptr, type, member) ((type *) ((char *) (ptr) -offsetof(type, member)))

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _printf_(fmt, args) __attribute__((format(printf, fmt, args)))
#define _unused_ __attribute__((unused))
#define _noreturn_ __attribute__((noreturn))
#define _warn_unused_ __attribute__((warn_unused_result))

/* Hand an owned pointer or descriptor on: the variable is left empty, so its cleanup does nothing. */
#define TAKE_PTR(p)                                                                                          \
        ({                                                                                                   \
                __typeof__(p) _taken = (p);                                                                  \
                (p) = NULL;                                                                                  \
                _taken;                                                                                      \
        })
#define TAKE_FD(fd)                                                                                          \
        ({                                                                                                   \
                int _taken = (fd);                                                                           \
                (fd) = -EBADF;                                                                               \
                _taken;                                                                                      \
        })

/* Defines the cleanup function TYPE_freep for a `TYPE *f(TYPE *)` destructor. */
#define DEFINE_CLEANUP(type, func)                                                                           \
        static inline void func##p(type **p) {                                                              \
                if (*p)                                                                                      \
                        *p = func(*p);                                                                       \
        }                                                                                                    \
        struct _cleanup_needs_semicolon

static inline void freep(void *p) {
        free(*(void **) p);
}
#define _cleanup_free_ _cleanup_(freep)

static inline bool streq(const char *a, const char *b) {
        return strcmp(a, b) == 0;
}

#endif

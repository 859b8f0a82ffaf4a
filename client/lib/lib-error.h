/* lib-error.h - drover_error inside the library: made once, read by the user, released by
 * drover_error_free(). */
#ifndef DROVER_LIB_ERROR_H
#define DROVER_LIB_ERROR_H

#include "base/macro.h"
#include "drover.h"
#include "wire/envelope.h"

static inline drover_error *lib_error_release(drover_error *e) {
        drover_error_free(e);
        return NULL;
}
DEFINE_CLEANUP(drover_error, lib_error_release);
#define _cleanup_error_ _cleanup_(lib_error_releasep)

/** lib_error_new() - an error of the library. Never NULL: without memory it is the static no-memory error. */
drover_error *lib_error_new(int error, const char *fmt, ...) _printf_(2, 3);
/** lib_error_from_reply() - the daemon's error (an ENVELOPE_ERROR). Never NULL. */
drover_error *lib_error_from_reply(const Envelope *reply);
/** lib_error_copy() - as good as @e, with an owner of its own. Never NULL. */
drover_error *lib_error_copy(const drover_error *e);

/** lib_fail() - hand @e_consume to @ret_error (or release it) and return its errno. */
int lib_fail(drover_error **ret_error, drover_error *e_consume);

/** lib_failf() - the same with an error of the library, made here. */
int lib_failf(drover_error **ret_error, int error, const char *fmt, ...) _printf_(3, 4);

#endif

/* results.h - results of a map as they came: a text, made values of only on demand. */
#ifndef DROVER_LIB_RESULTS_H
#define DROVER_LIB_RESULTS_H

#include "drover.h"
#include "wire/slice.h"

/* Borrows from the line it was read from. */
struct drover_results {
        uint64_t call;
        size_t first, n;
        Slice values; /* an array */
        Slice errors; /* an object; .at NULL: none failed */
        json_t *errors_made;
};

/** results_read() - is the line a `result` notification? Then 0; else -EBADMSG: whatever it is, it is for others to read. */
int results_read(const char *line, size_t length, struct drover_results *ret);
void results_done(struct drover_results *r);

#endif

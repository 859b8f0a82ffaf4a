/* cmd-watch.h - `status -w`: the same table again and again. */
#ifndef DROVER_CTL_CMD_WATCH_H
#define DROVER_CTL_CMD_WATCH_H

#include "ctl/ctl.h"

/** watch_put_cb - the status @result as text, as the verb would print it once. */
typedef void (*watch_put_cb)(const Ctl *c, Text *out, const json_t *result);

/**
 * watch_run() - until Ctrl-C, -T, or the daemon is gone for good
 * On a terminal the text is drawn in its place, and printed once more at the end; else it is printed whenever it
 * differs from before, after an empty line. Return: the exit status.
 */
int watch_run(Ctl *c, watch_put_cb put);

#endif

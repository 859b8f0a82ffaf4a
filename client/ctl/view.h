/* view.h - what people see of pools and workers: the rows of `status`, the paragraphs of `describe`.
 *
 * Pure: the daemon's JSON and the time in, text out. Nothing in the JSON is trusted to be there. */
#ifndef DROVER_CTL_VIEW_H
#define DROVER_CTL_VIEW_H

#include "base/clock.h"
#include "ctl/table.h"
#include <jansson.h>

#define VIEW_POOL_COLUMNS 10
#define VIEW_WORKER_COLUMNS 12
extern const TableColumn view_pool_columns[VIEW_POOL_COLUMNS];
extern const TableColumn view_worker_columns[VIEW_WORKER_COLUMNS];

void view_pool_row(Table *t, const json_t *pool, usec_t now_realtime);
void view_worker_row(Table *t, const json_t *worker, usec_t now_realtime);

/** view_put_pool() - many lines about one pool and its workers; @config may be NULL. */
void view_put_pool(Text *out, const json_t *pool, const json_t *config, usec_t now_realtime, unsigned width,
                   bool is_color);
/** view_put_worker() - many lines about one worker; @config is its pool's and may be NULL. */
void view_put_worker(Text *out, const json_t *worker, const json_t *config, usec_t now_realtime, bool is_color);

/** view_note() - why a worker is not simply running: "killed by SIGKILL 40s ago, next try in 8s"; "" when it
 * is. */
void view_note(Text *out, const json_t *worker, usec_t now_realtime);
/** view_is_alive() - a process exists: in any worker of the pool, or of the worker itself. */
bool view_is_alive(const json_t *pool_or_worker);
/** view_is_ended_run() - a run process that has ended, or never began: left out of the overview. */
bool view_is_ended_run(const json_t *pool);
/** view_time() - RFC 3339 in UTC, as the daemon writes it, to CLOCK_REALTIME µs; 0 when it is none. */
usec_t view_time(const char *text);

#endif

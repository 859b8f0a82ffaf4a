/* task-page.h - the memory that droverd shares with one process of a task pool: how far it is. A memfd, sealed in its size.
 *
 * The first cache line is the worker's: droverd reads it when the worker has died. What follows is droverd's own, for its
 * next life: which requests it has put into the channel. A worker that writes there harms nobody but its own tasks. */
#ifndef DROVER_WIRE_TASK_PAGE_H
#define DROVER_WIRE_TASK_PAGE_H

#include <stdint.h>

/* Calls are counted in the order in which they came; an item is a call of its own. Behind $DROVER_TASKS_PAGE_FD. */
typedef struct TaskPage {
        _Atomic uint64_t n_started, n_done;
} TaskPage;

#define TASK_LEDGER_OFFSET 64u
#define TASK_LEDGER_MAX 128u /* requests in a channel without an answer */

/* One request: its id, and how many calls it is. */
typedef struct TaskLedgerEntry {
        uint64_t id, n_calls;
} TaskLedgerEntry;

/* Requests have the ids 1, 2, 3... Entry of id: id modulo TASK_LEDGER_MAX; n_calls 0: answered. */
typedef struct TaskLedger {
        uint64_t n_begun; /* about to be sent, or sent: ids up to here */
        uint64_t n_sent;  /* certainly sent: ids up to here */
        uint64_t n_calls_answered;
        TaskLedgerEntry entries[TASK_LEDGER_MAX];
} TaskLedger;

#define TASK_PAGE_SIZE 4096u

#endif

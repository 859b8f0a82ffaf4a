/* task-page.h - the memory that droverd shares with one process of a task pool: how far it is, and what it has finished and
 * not sent. A memfd, sealed in its size; what is never touched of it costs nothing.
 *
 * Counters and kept answers are the worker's: droverd reads them when the worker has died, or is silent. The ledger is
 * droverd's own, for its next life: which requests it has put into the channel. A worker that writes there harms nobody
 * but its own tasks. */
#ifndef DROVER_WIRE_TASK_PAGE_H
#define DROVER_WIRE_TASK_PAGE_H

#include <stdint.h>

#define TASK_LEDGER_MAX 128u /* requests in a channel without an answer */
#define TASK_KEPT_MAX (128u * 1024)

/* One request: its id, how many calls it is, and how many of these were answered. */
typedef struct TaskLedgerEntry {
        uint64_t id, n_calls, n_gone;
} TaskLedgerEntry;

typedef enum TaskHello {
        TASK_HELLO_SAID = 1 << 0,
        TASK_HELLO_ITEMS = 1 << 1, /* it takes chunks */
        TASK_HELLO_PAGE = 1 << 2,  /* it uses the page */
        TASK_HELLO_SIGNAL = 1 << 3, /* it wants SIGUSR2 before SIGKILL */
        TASK_HELLO_BLOBS = 1 << 4,  /* it takes descriptors */
} TaskHello;

/* Requests have the ids 1, 2, 3... Entry of id: id modulo TASK_LEDGER_MAX; n_calls 0: answered. */
typedef struct TaskLedger {
        uint64_t n_begun; /* about to be sent, or sent: ids up to here */
        uint64_t n_sent;  /* certainly sent: ids up to here */
        uint64_t n_calls_answered;
        uint64_t hello;   /* TASK_HELLO_... */
        uint64_t recall_from, recall_to; /* about to be taken back; recall_to 0: nothing */
        uint64_t head_since; /* since when the worker is at the oldest one without an answer: CLOCK_MONOTONIC, us; 0: at none */
        TaskLedgerEntry entries[TASK_LEDGER_MAX];
} TaskLedger;

/* The highest request that is spoken for, begun by the worker or taken back by droverd. A request is begun only after
 * `claimed` was moved up to it. */
#define TASK_CLAIM_ID(claimed) ((claimed) >> 1)
#define TASK_CLAIM_BY_WORKER(id) ((id) << 1)
#define TASK_CLAIM_BY_DROVERD(id) ((id) << 1 | 1)

/* Calls are counted in the order in which they came; an item is a call of its own. Behind $DROVER_TASKS_PAGE_FD.
 *
 * @kept has the bytes of the channel that the worker has not sent: @n_kept of them, whole lines, and of an answer in the
 * making what ends with a whole item. Once they are sent @n_kept becomes 0, then @n_sends is counted up, and only then are
 * the bytes written over: who copies them and sees another @n_sends than before throws the copy away. */
typedef struct TaskPage {
        _Atomic uint64_t n_started, n_done;
        _Atomic uint64_t n_kept, n_sends;
        _Atomic uint64_t claimed; /* by either side: TASK_CLAIM_... */
        _Alignas(64) TaskLedger ledger;
        _Alignas(4096) char kept[TASK_KEPT_MAX];
} TaskPage;

#endif

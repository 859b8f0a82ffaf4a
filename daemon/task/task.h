/* task.h - calls of a target, waiting for a worker of a task pool, on their way, and settled.
 *
 * Owner: TaskRoom, one in droverd. A single Task is QUEUED until it is handed to a worker (RUNNING, be it only next in that
 * worker's channel), and then exactly once DONE, FAILED, CANCELLED, TIMEOUT or LOST; a settled one is kept for `result_ttl`. A
 * TaskMap is many calls of one target, of which only the results are shown, in order or as they come; it lives as long as
 * the call that made it. Arguments and results are texts, never parsed here.
 *
 * Nothing is sent to a worker before its record is written: task_room_dispatch() decides, the journal is flushed, and
 * task_room_flush() sends and takes what was answered off the channels. */
#ifndef DROVER_TASK_TASK_H
#define DROVER_TASK_TASK_H

#include "base/clock.h"
#include "base/text.h"
#include "event/hub.h"
#include "handover/journal.h"
#include "pool/pool.h"
#include "task/blob.h"
#include "wire/slice.h"

#define TASK_LINE_MAX (64u * 1024)      /* bytes of one request to a worker, or of one answer */
#define TASK_ID_MAX 96
#define TASK_KEY_MAX 128                /* bytes of a key */
#define TASK_PRIORITY_MAX 10            /* -10 .. 10, higher first */
#define TASK_ATTEMPTS_MAX 100
#define TASK_BYTES_PER_UID_MAX (256u << 20) /* held for one user: tasks, with TASK_COST each, and items of maps */
#define TASK_BYTES_MAX (1u << 30)       /* for all together, shared as in uid-book.h */
#define TASK_RESULTS_PER_UID_MAX (128u << 20) /* results held besides; the oldest goes first */
#define TASK_COST 1024u                 /* bytes of a task without its texts: it, its records, their index */
#define TASK_SETTLED_MAX 200000u        /* of one pool; the oldest result goes first */
#define TASK_MAP_AHEAD_MAX 65536u       /* items of a map that wait, or whose results do */
#define TASK_MAP_BYTES_MAX (4u << 20)   /* and their bytes */
#define TASK_GRACE_USEC USEC_PER_SEC    /* between the signal for a task that lasts too long and SIGKILL; for items of a map that is gone */

typedef enum TaskState {
        TASK_QUEUED,
        TASK_RUNNING,
        TASK_DONE,
        TASK_FAILED,
        TASK_CANCELLED,
        TASK_TIMEOUT,
        TASK_LOST, /* begun, and how it ended nobody knows */
        _TASK_STATE_MAX,
} TaskState;
const char *task_state_to_string(TaskState s);
int task_state_from_string(const char *s);

typedef struct TaskRoom TaskRoom;
typedef struct Task Task;
typedef struct TaskMap TaskMap;
typedef struct TaskWatch TaskWatch;

typedef struct TaskWorld {
        sd_event *event;
        KeeperLink *keeper;
        PoolSet *pools;
        Journal *journal; /* NULL: nothing goes on record */
} TaskWorld;

/** task_room_new() - and let @world->pools make channels for the workers of its task pools. -ENOMEM. */
int task_room_new(TaskRoom **ret, const TaskWorld *world);
TaskRoom *task_room_free(TaskRoom *r);
DEFINE_CLEANUP(TaskRoom, task_room_free);
/** task_room_inherit() - the channels in the keeper's table, before the workers are adopted; NULL: that is over. */
void task_room_inherit(TaskRoom *r, KeeperTable *t);
/** task_room_restore() - one record of the life before; others are passed over. After the workers were adopted. */
int task_room_restore(const char *key, json_t *value, void *room);
/** task_room_catch_up() - all records were restored. */
void task_room_catch_up(TaskRoom *r);
void task_room_put_all(TaskRoom *r); /* all records once more */
void task_room_dispatch(TaskRoom *r); /* give work to those who can take it; from the post source, before the journal */
void task_room_flush(TaskRoom *r);    /* send it; after the journal */
/** task_room_use_dir() - where durable tasks are kept; @is_first_life: those in there are taken over. After the catch-up. */
int task_room_use_dir(TaskRoom *r, const char *dir, bool is_first_life);
void task_room_pool_changed(TaskRoom *r, Pool *p, bool is_removed);

/* ---- single tasks ---- */

/* All borrowed. */
typedef struct TaskSpec {
        const char *target;
        Slice args, kwargs; /* an array and an object; .at NULL: empty */
        usec_t timeout;     /* of one attempt; 0: none */
        usec_t queue_timeout; /* 0: none */
        unsigned attempts;
        int priority;
        const char *key;    /* NULL: none */
        uid_t uid;
        bool is_recorded;   /* it outlives the connection, and droverd */
        BlobSet *blobs;     /* the task's on success; NULL: none */
        bool has_spill;     /* the first of these is the text of {"args","kwargs"} */
} TaskSpec;

/**
 * task_submit() - *ret is borrowed; with a key that is known it is that task, in whatever state
 * Return: 0; 1 when it was there already; -ENOBUFS: queue_max; -EDQUOT: bytes of the user; -EMSGSIZE: more than
 * TASK_LINE_MAX; -EHOSTDOWN: the pool has given up; -EMLINK: too many blobs are on record; -ENOMEM. With tasks.durable also
 * -ENOSPC, -EIO: the disk; -EOPNOTSUPP: it has blobs.
 */
int task_submit(TaskRoom *r, Pool *p, const TaskSpec *spec, Task **ret);
Task *task_find(TaskRoom *r, const char *id); /* NULL: there is none, or it is forgotten */
TaskState task_state(const Task *t);
bool task_is_settled(const Task *t);
bool task_is_pending(const Task *t); /* it is accepted when the disk has it: watch it */
uid_t task_uid(const Task *t);
const char *task_pool_name(const Task *t);
uint64_t task_number(const Task *t); /* of its id, POOL-N; growing */
const char *task_id(const Task *t, char buf[static TASK_ID_MAX]);
/** task_cancel() - queued: at once; one that a worker is at: that worker's process is killed. false: it is settled. */
bool task_cancel(Task *t);
/** task_keep() - put it on record from now on: its connection may go. */
void task_keep(Task *t);
/** task_put_json() - the OUTCOME; @with_details: pool, target, times, too. */
void task_put_json(const Task *t, Text *out, bool with_details);
/* What came of it beyond the OUTCOME's text: of a result too long for that its text first, then what the result names. */
const BlobSet *task_results(const Task *t);
bool task_has_spilled(const Task *t);
/** task_attach_results() - whoever waits gets the descriptors with the outcome: it need not be kept for them. */
void task_attach_results(Task *t);
/** task_put_attached() - the OUTCOME for one who gets descriptors along: "descriptors" says how many. */
void task_put_attached(const Task *t, Text *out, size_t n_descriptors);
BlobRoom *task_room_blobs(TaskRoom *r);
/** task_each() - in order of age, tasks of @p (NULL: all); until @cb says false. It must not settle any. */
void task_each(TaskRoom *r, const Pool *p, bool (*cb)(Task *t, void *userdata), void *userdata);

/* Somebody who waits for the outcome; embedded, and taken out when it is there. */
struct TaskWatch {
        Task *task; /* NULL: not watching */
        void (*on_settled)(TaskWatch *w, Task *t); /* may not settle or submit any */
        /* Of a pending one, each may be NULL: it is accepted; it is not, for the disk failed, and the task is gone. */
        void (*on_safe)(TaskWatch *w, Task *t);
        void (*on_refused)(TaskWatch *w, Task *t, int error);
        TaskWatch *prev, *next;
};
void task_watch(TaskWatch *w, Task *t);
void task_unwatch(TaskWatch *w);

/* ---- maps ---- */

typedef struct TaskMapSink {
        /* Results of items @first .. @first+@n-1, as texts with commas between; @errors: an object by number from @first, or
         * none. An item that failed has the result null. */
        void (*on_results)(TaskMap *m, size_t first, size_t n, Slice results, Slice errors, void *userdata);
        void (*on_room)(TaskMap *m, void *userdata); /* it takes items again; may be called at any time */
        void (*on_done)(TaskMap *m, void *userdata); /* the last result was told; to be freed later */
} TaskMapSink;

typedef struct TaskMapSpec {
        const char *target;
        Slice kwargs;
        usec_t timeout;
        unsigned attempts;
        int priority;
        size_t chunk; /* 0: by measure */
        bool is_ordered;
        bool is_count; /* items are the numbers 0 .. count-1 */
        size_t count;
        uid_t uid;
} TaskMapSpec;

int task_map_new(TaskMap **ret, TaskRoom *r, Pool *p, const TaskMapSpec *spec, const TaskMapSink *sink, void *userdata);
/** task_map_add() - @items: an array. -E2BIG: an item too large for a line; -EBADMSG; -ENOMEM. Beyond its bounds it still
 *  takes them: ask task_map_has_room() before. */
int task_map_add(TaskMap *m, Slice items);
bool task_map_has_room(const TaskMap *m);
void task_map_end_items(TaskMap *m); /* there are no more */
void task_map_pause(TaskMap *m, bool is_paused); /* nobody reads the results now */
bool task_map_is_ended(const TaskMap *m); /* it takes no more items */
Pool *task_map_pool(const TaskMap *m);
/** task_map_fault() - why it ended before its items did; NULL: it did not. */
const char *task_map_fault(const TaskMap *m, int *ret_code);
void task_map_counts(const TaskMap *m, size_t *ret_n_items, size_t *ret_n_failed);
const char *task_map_id(const TaskMap *m, char buf[static TASK_ID_MAX]);
/** task_map_free() - what is not with a worker yet is not done any more; what is ends unheard, or with its worker when
 *  it takes longer than TASK_GRACE_USEC. */
TaskMap *task_map_free(TaskMap *m);

#endif

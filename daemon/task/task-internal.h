/* task-internal.h - the room task from inside. */
#ifndef DROVER_TASK_TASK_INTERNAL_H
#define DROVER_TASK_TASK_INTERNAL_H

#include "handover/durable-log.h"
#include "pool/tasking.h"
#include "task/task.h"
#include "wire/attach.h"
#include "wire/task-page.h"
#include <uthash.h>
#include <utlist.h>

#define PIECES_MAX TASK_LEDGER_MAX
#define N_PRIORITIES (2 * TASK_PRIORITY_MAX + 1)
#define CHANNEL_BYTES_MAX (128u * 1024) /* of requests without an answer; they fit the socket, whole */
#define CHANNEL_CLOSED_USEC (200 * USEC_PER_MSEC) /* for a process that closed it to end by itself */
#define PEEK_MAX (512u * 1024)          /* more than a socket holds */
#define CHANNEL_FDS_MAX 32u             /* with requests without an answer; libdrover's workers hold 64 */
#define CHANNEL_REFUSED_USEC (10 * USEC_PER_MSEC) /* the kernel holds too many descriptors on their way: once more then */
#define BLOB_HELLO_USEC (5 * USEC_PER_SEC) /* of a worker's life, in which it may say that it takes blobs */
#define ROUND_USEC USEC_PER_MSEC        /* so much work is given ahead, by measure */

typedef struct TaskPool TaskPool;
typedef struct TaskUser TaskUser;
typedef struct TaskWords TaskWords;
typedef struct Channel Channel;

/* What stands in a pool's queue: a task, or a map with items to give out. */
typedef struct QueueNode {
        struct QueueNode *prev, *next;
        int priority;
        bool is_map, is_queued;
} QueueNode;

struct Task {
        QueueNode node;
        TaskPool *pool;
        uint64_t number;
        TaskState state;
        char *target; /* a JSON string, with its quotes */
        char *params; /* {"args":...,"kwargs":...} */
        char *key;    /* "uid:key"; NULL: none */
        size_t bytes; /* charged to its user */
        uid_t uid;
        TaskUser *user; /* settled: who has its result */
        Task *of_user_prev, *of_user_next;
        usec_t timeout, queue_timeout; /* the latter as CLOCK_MONOTONIC */
        usec_t submitted_at, ended_at; /* CLOCK_REALTIME */
        unsigned attempts, n_deaths;
        bool is_recorded;
        bool is_durable, is_pending, is_claimed; /* see task-durable.c */
        uint64_t ticket;
        Task *pending_prev, *pending_next;
        bool is_mute; /* settled, and not told yet: its worker's last lines are on their way */
        BlobSet blobs, results; /* of its arguments, until it is settled; and then */
        bool has_spill, is_result_spilled; /* the first of each is the text of all */
        bool is_attached;       /* who waits takes its results with the outcome */
        bool is_bereft;         /* its blobs did not outlive droverd */
        char *answer; /* settled: the member "result" or "error" */
        char *exits;  /* objects with commas: of workers that died with it */
        Channel *channel; /* RUNNING */
        uint64_t request;
        TaskWatch *watches;
        Task *settled_prev, *settled_next;
        UT_hash_handle hh, hh_key;
};

/* Items that came together: one text. */
typedef struct MapBlock {
        struct MapBlock *prev, *next;
        size_t first, n, n_left, begin, size;
        uint32_t *ends;
        char *text;
} MapBlock;

/* Items to be done once more. */
typedef struct MapRange {
        struct MapRange *prev, *next;
        size_t first, n;
        unsigned n_deaths;
} MapRange;

/* Results that wait for earlier ones. */
typedef struct MapHeld {
        struct MapHeld *prev, *next;
        size_t first, n, results_length;
        char *results, *errors;
} MapHeld;

/* How workers died with an item. */
typedef struct MapDeath {
        struct MapDeath *prev, *next;
        size_t item;
        char *exits; /* objects with commas */
} MapDeath;

struct TaskMap {
        QueueNode node;
        TaskPool *pool;
        uint64_t number;
        char *target, *kwargs; /* as in Task; kwargs NULL: none */
        uid_t uid;
        usec_t timeout;
        unsigned attempts;
        size_t chunk;
        bool is_ordered, is_count, is_ended, is_paused, is_done, was_full;
        size_t n_items, next, n_done, n_failed, n_open; /* open: pieces with workers */
        size_t bytes, held_bytes, emitted;
        MapBlock *blocks;
        MapRange *redo;
        MapHeld *held;
        MapDeath *deaths; /* of items that are to be done once more */
        size_t n_deaths;
        double usec_per_item; /* 0: not measured yet */
        char *fault; /* it was abandoned: why */
        int fault_code;
        TaskMap *of_pool_prev, *of_pool_next;
        TaskMapSink sink;
        void *userdata;
};

/* One request in a channel. */
typedef struct Piece {
        uint64_t id;
        Task *task;   /* one of both, or neither: nobody wants the answer */
        TaskMap *map;
        size_t first;
        uint32_t n;   /* calls without an answer; 0: answered */
        uint32_t n_gone; /* of a chunk: those before @first that were answered */
        unsigned n_deaths;
        size_t bytes;
        unsigned n_fds; /* that went with it */
        usec_t timeout;
        bool as_items;    /* as a chunk */
        bool is_unwanted; /* cancelled: a worker that is at it for TASK_CANCELLED_USEC is killed */
        usec_t orphaned_at; /* its map is gone: it has TASK_GRACE_USEC to end; 0: it is not */
} Piece;

struct Channel {
        TaskPool *pool;
        Worker *worker;
        uint64_t generation;
        int fd, page_fd;
        int worker_fd; /* the other end, until the launch is asked for */
        char name[KEEPER_KEPT_NAME_MAX - 5];
        TaskPage *page;
        TaskLedger *ledger;
        sd_event_source *io;
        Piece pieces[PIECES_MAX]; /* by id modulo PIECES_MAX */
        uint64_t head, next_id;   /* oldest without an answer (next_id: none); ids from 1 */
        unsigned n_open;
        size_t bytes_open;
        Text out; /* whole lines, but for what the socket did not take of the first */
        AttachQueue attached; /* to @out */
        BlobSet blobs, claimed;  /* lent to the worker; named by the answer at hand */
        unsigned n_fds_open;
        bool takes_blobs;
        bool has_reply;  /* in @out: what was asked is taken off only once that is sent */
        bool is_torn;    /* what was sent of the last request is not known */
        bool is_refused; /* the kernel takes no more descriptors now */
        usec_t bound_at, hello_due;
        size_t n_consume;
        bool has_hello, takes_items, has_page, has_signal; /* as it said; noted in the ledger */
        bool is_closing, is_half_closed; /* no more requests; told so */
        bool is_unsendable, has_unread;  /* it closed its end; and had not read all */
        bool is_over, is_condemned;      /* nothing more comes; its process is being killed */
        char *condemned_for;             /* why; NULL when not, and in a later life of droverd */
        bool is_slow; /* it has been at one request for long, and has others */
        bool is_load_new, is_ledger_old, is_dirty;
        uint64_t n_done, n_calls_answered, n_given; /* calls */
        usec_t head_since, warned_at, closed_at; /* CLOCK_MONOTONIC; 0: none */
        usec_t measured_at, look_at;
        Channel *prev, *next, *dirty_prev, *dirty_next;
        UT_hash_handle hh;
};

struct TaskUser {
        uid_t uid;
        size_t n, bytes, result_bytes;
        Task *settled; /* oldest first */
        UT_hash_handle hh;
};

struct TaskPool {
        TaskRoom *room;
        Pool *pool;
        char *name;
        uint64_t last_number, reserved_number;
        QueueNode *queue[N_PRIORITIES];
        size_t n_queued; /* tasks and items */
        unsigned n_claiming;
        size_t n_tasks_queued; /* tasks: what queue_max is about; a map has bounds of its own */
        unsigned n_unread_deaths; /* since the last answer */
        size_t n_queue_limited, n_settled;
        usec_t queue_look_at; /* CLOCK_MONOTONIC; for those that may wait so long; 0: at once */
        Task *tasks, *keys, *settled;
        TaskMap *maps;
        Channel *channels;
        double usec_per_piece; /* 0: not measured yet */
        bool is_due;
        TaskPool *due_prev, *due_next;
        UT_hash_handle hh;
};

struct TaskRoom {
        TaskWorld world;
        BlobRoom *blobs;
        TaskPool *pools, *due; /* also those that were removed, TASK_POOLS_GONE_MAX of them */
        uint64_t number_floor; /* no task of a pool that is not among them has a larger number */
        bool has_new_gone;
        Channel *channels; /* by generation */
        Channel *dirty;    /* with something to send or to take */
        TaskUser *users;
        size_t bytes; /* of all users */
        bool is_to_trim;
        TaskWords *words;
        DurableLog *durable; /* NULL: not needed yet */
        char *durable_dir;
        Task *pending;     /* by ticket */
        size_t n_durable;  /* without an end */
        size_t n_homeless; /* records of pools that are not there */
        bool is_filling, is_from_disk;
        TaskPool *fill_pool; /* the file is being made anew: who is next */
        Task *fill_task;
        uint64_t fill_last;  /* of that pool's, by number */
        KeeperTable *inherited;
        sd_event_source *timer;
        usec_t timer_at;
        char *peek;
};

/* task-room.c */
#define TASK_POOLS_GONE_MAX 100u
TaskPool *task_pool_get(TaskRoom *r, Pool *p); /* NULL: memory is short */
TaskPool *task_pool_find(TaskRoom *r, const char *name);
void task_pool_mark(TaskPool *p); /* to be looked at by the next dispatch */
uint64_t task_pool_number(TaskPool *p);
void task_room_arm(TaskRoom *r, usec_t at);

/* task-user.c */
int task_room_charge(TaskRoom *r, uid_t uid, size_t bytes);
void task_room_charge_anyway(TaskRoom *r, uid_t uid, size_t bytes); /* it is there already */
void task_room_discharge(TaskRoom *r, uid_t uid, size_t bytes);
void task_user_take_result(Task *t); /* with the next trim the older ones go when there are too many bytes */
void task_user_drop_result(Task *t);
void task_room_trim(TaskRoom *r); /* what is too much of them goes */
/** task_user_make_room() - his oldest results with blobs are forgotten, so that @b can be charged to him. false: that would not do. */
bool task_user_make_room(TaskRoom *r, uid_t uid, const Blob *b);

/* task-gone.c */
void task_pool_look(TaskPool *p); /* has it given up, is it being removed: then nothing waits any more */
void task_pool_gone(TaskPool *p);

/* task-durable.c */
int task_room_need_durable(TaskRoom *r);
int durable_accept(TaskRoom *r, size_t bytes); /* is there room on the disk: 0, -ENOSPC, -EIO, -ENOMEM */
void durable_submitted(Task *t);
bool durable_holds(const Task *t); /* it is to be claimed before it is given */
bool durable_claim(Task *t);       /* false: others first */
void durable_leave(Task *t);       /* it waits for the disk no longer */
void durable_forget(const Task *t); /* it is about to go */
void durable_flush(TaskRoom *r);

/* task-words.c */
/** words_await_task() - true: task_tell() comes with its worker's last lines. */
bool words_await_task(Task *t, const Channel *c, const ExitStatus *e);
/** words_await_items() - true: map_failed() comes. */
bool words_await_items(TaskMap *m, size_t first, size_t n, const char *error, const Channel *c, const ExitStatus *e);
void words_forget(TaskRoom *r, const Task *t, const TaskMap *m); /* one may be NULL */
void words_come(TaskRoom *r, uint64_t generation, const char *lines);
usec_t words_check(TaskRoom *r, usec_t now); /* when to look again */

/* task-queue.c */
void queue_push(TaskPool *p, QueueNode *n);  /* behind those of its priority */
void queue_unpop(TaskPool *p, QueueNode *n); /* before them */
void queue_remove(TaskPool *p, QueueNode *n);
void queue_rotate(TaskPool *p, QueueNode *n);
QueueNode *queue_first(const TaskPool *p, bool (*is_fit)(const QueueNode *n));

/* task.c */
static inline Task *node_task(QueueNode *n) {
        return container_of(n, Task, node);
}
static inline TaskMap *node_map(QueueNode *n) {
        return container_of(n, TaskMap, node);
}
static inline void task_counted(TaskPool *p, int by) {
        p->n_queued += (size_t) by;
        p->n_tasks_queued += (size_t) by;
}
Task *task_new(TaskPool *p, uint64_t number);
void task_forget(Task *t); /* with its record */
static inline bool task_is_final(const Task *t) {
        return t->state >= TASK_DONE;
}
void task_tell(Task *t, char *answer_take); /* a mute one; NULL: the answer is as it was */
void task_lost(Task *t); /* its worker is gone, and how far it came nobody knows */
void task_settle(Task *t, TaskState state, const char *member); /* @member: "result":... or "error":...; a copy is made */
void task_fail(Task *t, TaskState state, int code, const char *message);
void task_requeue(Task *t);
void task_died_with(Task *t, const Channel *c, const ExitStatus *e); /* again, or failed for good */
void task_expire(TaskPool *p, usec_t now, usec_t *next);
/* task-error.c: each appends a member "error" or an ERROR */
void error_from_worker(Text *t, const char *key, Slice error);
/** error_of_death() - @n_deaths: of how many workers it was the end; @exits: their ends, NULL: this one. */
void error_of_death(Text *t, const char *key, const Channel *c, const ExitStatus *e, unsigned n_deaths, const char *exits);
void error_plain(Text *t, const char *key, int code, const char *message);
/* What was put together as an ERROR, or as a member "error": where memory was short for it, one that says so. */
const char *error_text(Text *t);
const char *error_member(Text *t);
void exit_put(Text *t, const Channel *c, const ExitStatus *e);

/* task-blob.c */
bool task_blobs_fit(const Task *t, Channel *c);
usec_t channel_check_blobs(Channel *c, usec_t now); /* when to look again */
bool task_blobs_attach(Task *t, Channel *c); /* to the line appended next; false: it failed for good */
void task_blobs_put_params(const Task *t, Channel *c, Piece *p);
bool channel_has_recorded(const Channel *c);
bool channel_blob_request(Channel *c, Slice method, Slice id, Slice params); /* false: it is none */
/* What the answer names goes into @claimed. -ENOENT: not its own; else as blob_use(). */
int channel_claim(Channel *c, Slice spill, Slice blobs, uid_t uid);
/* The text of a spilled result, for a map; on failure a sentence in @message. */
int channel_read_claimed(Channel *c, Text *ret, char *message, size_t size);
void task_take_claimed(Task *t, Channel *c, bool is_spilled);
void task_put_result_member(const Task *t, Text *out, Slice result);
bool task_is_shown_whole(const Task *t); /* nothing is left to be fetched, though no descriptor goes along */
void task_put_inline(const Task *t, Text *out);
void task_room_restore_blobs(TaskRoom *r);

/* task-channel.c */
int channel_new(Channel **ret, TaskPool *p, Worker *w);
Channel *channel_free(Channel *c);
void channel_bind(Channel *c, uint64_t generation);
void channel_drop_kept(Channel *c); /* its process is gone */
int channel_inherit(TaskRoom *r, Worker *w, uint64_t generation);
bool channel_takes(const Channel *c);
uint64_t channel_n_left(const Channel *c); /* calls that its process may still be given */
unsigned channel_depth(const Channel *c);
/* Calls begun since the last answer; only of a worker that has a page. */
static inline uint64_t channel_n_begun(const Channel *c) {
        uint64_t n = __atomic_load_n((const uint64_t *) (const void *) &c->page->n_started, __ATOMIC_ACQUIRE);

        return n - MIN(n, c->n_calls_answered);
}
Piece *channel_piece(Channel *c, uint64_t id); /* without an answer; NULL: there is none */
Piece *channel_add(Channel *c, uint32_t n, usec_t timeout); /* id given, entered; the line is the caller's to append */
void channel_added(Channel *c, Piece *p, size_t out_before);
void channel_answered(Channel *c, Piece *p, bool has_run);
void channel_part_answered(Channel *c, Piece *p, uint32_t n); /* its first @n calls, not all */
void channel_hello(Channel *c); /* as the ledger has it */
void channel_mark(Channel *c);
void channel_flush(Channel *c);
void channel_half_close(Channel *c);
void channel_condemn(Channel *c, const char *why); /* kill its process */
void channel_tell_load(Channel *c);
usec_t channel_check(Channel *c, usec_t now); /* timeouts; when to look again */

/* task-answer.c */
void answer_receive(Channel *c);
void piece_fail(Channel *c, Piece *p, int code, const char *message); /* its task, or all its items; it counts as answered */
bool channel_take_hello(Channel *c, Slice params);
void answer_take_kept(Channel *c, const char *line, size_t size); /* one that makes no sense is passed over */

/* task-chunk.c */
typedef struct ChunkAnswer {
        Slice items, errors; /* items: between brackets, or a comma and a bracket; errors: by number from @skip items before */
        size_t skip;
        uint32_t n;
} ChunkAnswer;
void chunk_take(Channel *c, Piece *p, Slice result, bool is_kept);
/* A line as libdrover writes it, without errors, read in one go. false: it is to be read as any other. */
bool chunk_take_plain(Channel *c, const char *line, size_t size);

/* task-recall.c */
bool channel_recall(Channel *c); /* what it has not begun goes back into the queue; false: nothing */
bool pool_recall(TaskPool *p);   /* from those who are slow, when others have nothing to do */
bool ledger_has_recalled(const Channel *c, uint64_t id); /* by the life before, which died over it */

/* task-kept.c */
#define TASK_LOOK_USEC (2 * USEC_PER_MSEC)
/* A cancelled task that its worker had been given ahead: so long may the worker be at it. One that is done at once is not worth a
 * kill, which would hit the task behind it. */
#define TASK_CANCELLED_USEC (100 * USEC_PER_MSEC)
void channel_take_kept(Channel *c); /* what the page has */
void channel_look_later(Channel *c, usec_t now);

/* task-death.c */
void map_deaths_done(TaskMap *m);
void channel_ended(Channel *c, const ExitStatus *e);

/* task-map.c */
void map_give(TaskMap *m, Channel *c);
bool map_can_give(const TaskMap *m);
size_t map_n_waiting(const TaskMap *m); /* items that no worker has */
void map_items_done(TaskMap *m, size_t first, size_t n); /* their texts may go */
/* task-map-result.c */
void map_answered(TaskMap *m, size_t item, Slice result);
void map_answered_items(TaskMap *m, size_t first, const ChunkAnswer *a);
void map_failed(TaskMap *m, size_t first, size_t n, const char *error);
void map_redo(TaskMap *m, size_t first, size_t n, unsigned n_deaths);
void map_abandon(TaskMap *m, int code, const char *message); /* it ends with this */
void map_check_done(TaskMap *m);

/* task-record.c */
void record_submitted(Task *t);
void record_state(Task *t);
void record_claim(Task *t); /* on the disk only: a worker is about to get it */
void record_forget(Task *t);
void record_numbers(TaskPool *p);
void record_forget_numbers(TaskPool *p);

#endif

/* worker-blob.h - the worker's blobs: those that came with a request, those it writes its results into.
 *
 * Owner: the loop of worker-serve, one a process. All memory is droverd's to make: a worker asks by the request blob.new
 * and writes into what it gets. Since an answer takes a while, one or two more of the size used last are asked for ahead.
 * While it waits, requests that come are put aside with their descriptors, and are next after this one.
 *
 * What came is read or mapped (blob-memory.h) when it is asked for, and released after the call; so is what was made, which is
 * sealed then. */
#ifndef DROVER_WORKER_WORKER_BLOB_H
#define DROVER_WORKER_WORKER_BLOB_H

#include "wire/slice.h"
#include "worker/taskio.h"

#define TASKBLOBS_MAX 16u   /* of a request, and of an answer */
#define TASKBLOBS_SPARE 2u  /* asked for ahead */
#define TASKBLOBS_SPARE_SIZE (1u << 20) /* and no larger than this */
#define TASKBLOBS_LINE_MAX (64u * 1024) /* bytes of an answer without one */

typedef struct TaskBlob {
        int fd;
        size_t size, capacity;
        void *memory; /* NULL: nobody asked for it */
        char id[32];
} TaskBlob;

typedef struct TaskBlobs {
        TaskIo *io;
        TaskBlob came[TASKBLOBS_MAX + 1], made[TASKBLOBS_MAX], spare[TASKBLOBS_SPARE];
        size_t n_came, n_made, n_spare, n_asked; /* asked: no answer yet */
        uint64_t last_id;
        bool has_spill;    /* the first that came is the text of the arguments */
        bool is_in_items;  /* nothing may be asked for: an answer is being written */
        char error[256];   /* of the last one that was refused */
        Text aside;        /* lines, and how many descriptors each has */
        size_t aside_at, n_aside_fds;
        int aside_fds[ATTACH_FDS_MAX];
        char *pinned;      /* in which the request at hand stays, whatever is received meanwhile */
} TaskBlobs;

void taskblobs_init(TaskBlobs *b, TaskIo *io);
void taskblobs_done(TaskBlobs *b);
/** taskblobs_next() - as taskio_next(), for requests; what was of the one before is released. */
int taskblobs_next(TaskBlobs *b, char **ret_line, size_t *ret_length);
/** taskblobs_open() - what the params say of the descriptors that came: "spill" an object, "blobs" an array; .at NULL. -EPROTO. */
int taskblobs_open(TaskBlobs *b, Slice spill, Slice blobs);
/** taskblobs_spill() - the text of the arguments. Borrowed. .at NULL: none, or it cannot be read. */
Slice taskblobs_spill(TaskBlobs *b);
/** taskblobs_read() - the bytes of the @i-th that came. -ENOENT, or errors of mmap(2) and pread(2). */
int taskblobs_read(TaskBlobs *b, size_t i, const void **ret_data, size_t *ret_size);
/** taskblobs_make() - a new one for the answer, to be written; its number. -errno, with a sentence in @error. */
int taskblobs_make(TaskBlobs *b, size_t size, void **ret_data);
/** taskblobs_put() - seal all that was made, and append the member "blobs". false: nothing was made. -errno when one cannot be sealed. */
int taskblobs_put(TaskBlobs *b, Text *t);
void taskblobs_give_back(TaskBlobs *b); /* what was made, for an exception came after all */
/** taskblobs_put_spill() - @text in a blob of its own, and append the members "result":null,"spill" to @t. As taskblobs_make(). */
int taskblobs_put_spill(TaskBlobs *b, Slice text, Text *t);

#endif

/* blob-internal.h - a blob from inside: blob.c and blob-record.c. */
#ifndef DROVER_TASK_BLOB_INTERNAL_H
#define DROVER_TASK_BLOB_INTERNAL_H

#include "task/blob.h"
#include <uthash.h>
#include <utlist.h>

#define BLOBS_IN_ALL_MAX 16384u

struct Blob {
        BlobRoom *room;
        BlobSet *set;
        Blob *prev, *next;
        uint64_t number, generation;
        uid_t uid;
        size_t capacity, size; /* of the memory, charged; of what counts */
        int fd;
        bool is_kept;
};

typedef struct BlobUser {
        uid_t uid;
        size_t n;
        uint64_t bytes;
        UT_hash_handle hh;
} BlobUser;

struct BlobRoom {
        KeeperLink *keeper;
        BlobUser *users;
        uint64_t last_number;
        size_t n, n_max, n_kept;
        uint64_t bytes, memory, available; /* available: 0: ask the kernel */
        size_t user_n_max; /* of each user */
        uint64_t user_bytes_max;
};

/** blob_adopt() - a blob as @like says, whose descriptor it takes on success. -EDQUOT, -ENOMEM. */
int blob_adopt(BlobRoom *r, BlobSet *set, const Blob *like, Blob **ret);
void blob_drop_kept(Blob *b);

#endif

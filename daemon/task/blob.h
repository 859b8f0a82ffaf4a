/* blob.h - large arguments and results: byte strings in memory that droverd makes, lends out, and never looks into.
 *
 * Owner: a BlobSet, which is a part of a connection (made for a client, and not used yet), of a channel (made for a
 * worker), or of a task (its arguments, its results). A blob is a memfd of a fixed size:
 *
 *   lent    its maker has a descriptor by which it can be written; it is in the set of the maker's connection or channel
 *   used    its maker has sealed it (F_SEAL_WRITE) and named it in a submit or an answer; it is in the set of the task.
 *           Whoever reads it gets a descriptor of his own, which cannot write and has an offset of its own
 *
 * Nobody else's descriptor is ever received, nor the memory mapped: nothing that a peer does to it (holes, a lease, a
 * mapping that stays) reaches droverd. The maker seals, and not droverd, since to seal means to wait for whoever holds
 * the pages. What is on record is kept by the keeper under "blob.NUMBER.GENERATION".
 *
 * Limits: BLOB_SIZE_MAX each; BLOBS_OPEN_MAX in the set of a connection, BLOBS_WORKER_MAX in that of a channel;
 * BLOBS_PER_TASK_MAX; bytes and number of one user; half of the machine's memory in all; what is free of it now. */
#ifndef DROVER_TASK_BLOB_H
#define DROVER_TASK_BLOB_H

#include "base/text.h"
#include "process/keeper-link.h"
#include "wire/slice.h"
#include <jansson.h>
#include <sys/types.h>

#define BLOB_SIZE_MAX (1u << 30)
#define BLOBS_OPEN_MAX 128u
#define BLOBS_WORKER_MAX 24u
#define BLOBS_WORKER_BYTES_MAX (BLOB_SIZE_MAX + (64u << 20))
#define BLOBS_PER_TASK_MAX 16u
#define BLOBS_PER_UID_MAX 1024u
#define BLOB_BYTES_PER_UID_MAX (2ull << 30)
#define BLOBS_KEPT_MAX 1024u        /* on record: the keeper has 4096 places in all */
#define BLOB_INLINE_MAX (1u << 20)  /* of a result, for those who take no descriptors */
#define BLOB_LOOK_SIZE (1u << 20)   /* from here on, is there so much memory now? */
#define BLOB_MEMORY_LEFT (64u << 20)
#define BLOB_ID_MAX 32
#define BLOB_UID_NONE ((uid_t) -1)  /* of a worker, until it is used */

typedef struct BlobRoom BlobRoom;
typedef struct Blob Blob;

typedef struct BlobSet {
        Blob *first;
        size_t n, bytes;
} BlobSet;

/** blob_room_new() - @keeper: keeps what is on record; NULL: nothing is. */
int blob_room_new(BlobRoom **ret, KeeperLink *keeper);
BlobRoom *blob_room_free(BlobRoom *r); /* all sets are empty */
DEFINE_CLEANUP(BlobRoom, blob_room_free);
/** blob_room_set_memory() - for tests: what the machine has, in all and now; 0: as it is. */
void blob_room_set_memory(BlobRoom *r, uint64_t total, uint64_t available);
void blob_room_set_quota(BlobRoom *r, size_t n, uint64_t bytes); /* likewise, of each user */
size_t blob_room_n(const BlobRoom *r);
uint64_t blob_room_bytes(const BlobRoom *r);

/**
 * blob_new() - of @size bytes, at the end of @set
 * @generation: of the process it is for; 0: a client's
 * Return: 0, *ret is borrowed; -EINVAL (0 bytes), -EFBIG (BLOB_SIZE_MAX), -EDQUOT (of the user), -ENOBUFS (of all users, or
 * of the machine), -ENOMEM; errors of memfd_create(2).
 */
int blob_new(BlobRoom *r, BlobSet *set, uid_t uid, uint64_t size, uint64_t generation, Blob **ret);
/** blob_error() - a sentence for what blob_new() and blob_use() returned; what to do. Static, or in @buf. */
const char *blob_error(int error, char *buf, size_t size);
const char *blob_id(const Blob *b, char buf[static BLOB_ID_MAX]); /* "blob-17" */
size_t blob_size(const Blob *b);
Blob *blob_find(const BlobSet *set, Slice id); /* without quotes; NULL: it is not in this set */
Blob *blob_at(const BlobSet *set, size_t i);   /* NULL: there are not so many */
/** blob_lend() - a descriptor to write it. -errno. */
int blob_lend(const Blob *b);
/** blob_open() - a descriptor to read it, at its begin. -errno. */
int blob_open(const Blob *b);
/**
 * blob_use() - its maker has done with it: move it into @to, charge @uid
 * @size: how many of its bytes count; 0: all
 * Return: 0; -EBUSY: not sealed; -ERANGE: more than it has; -EDQUOT.
 */
int blob_use(Blob *b, BlobSet *to, uid_t uid, uint64_t size);
/** blob_could_use() - would blob_use() find room for @uid, once @n blobs of @bytes in all are gone that are charged to him? */
bool blob_could_use(const Blob *b, uid_t uid, size_t n, uint64_t bytes);
/** blob_read() - its bytes as text, for one of at most BLOB_INLINE_MAX. -errno. */
int blob_read(const Blob *b, Text *ret);
/** blob_keep() - over droverd's death. -ENOBUFS: too many are. */
int blob_keep(Blob *b);
Blob *blob_free(Blob *b);
uint64_t blob_set_charged(const BlobSet *s); /* bytes of memory, of which not all may count */
void blob_set_done(BlobSet *s);
void blob_set_move(BlobSet *to, BlobSet *from);
int blob_set_keep(BlobSet *s); /* all, or -ENOBUFS */

/* Records: [[NUMBER,GENERATION,SIZE],...]. */
void blob_set_put_record(const BlobSet *s, Text *t, const char *key);
/** blob_set_restore() - take what @record says out of @table. -ENOENT: something is not there. */
int blob_set_restore(BlobRoom *r, BlobSet *s, uid_t uid, const json_t *record, KeeperTable *table);
/** blob_room_restore_rest() - those that no record names: @set_of says whose, by generation; NULL: nobody's, dropped. */
void blob_room_restore_rest(BlobRoom *r, KeeperTable *table, BlobSet *(*set_of)(uint64_t generation, void *userdata), void *userdata);

/* ---- as they are named in messages ---- */

/** blob_set_put() - [{"size":N},...] as member @key, from the @first on. */
void blob_set_put(const BlobSet *s, Text *t, const char *key, size_t first);
/** blob_name_text() - one name: "ID" or {"blob":"ID","size":N}. *ret_id without quotes; *ret_size 0: not said. -EINVAL. */
int blob_name_text(Slice text, Slice *ret_id, uint64_t *ret_size);
int blob_name_json(const json_t *v, Slice *ret_id, uint64_t *ret_size);

#endif

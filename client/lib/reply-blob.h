/* reply-blob.h - drover_blob inside the library: descriptors that came with a reply, and long texts of arguments and results. */
#ifndef DROVER_LIB_REPLY_BLOB_H
#define DROVER_LIB_REPLY_BLOB_H

#include "lib/pending.h"
#include "wire/attach.h"

#define BLOB_ID_MAX 32

typedef struct ReplyBlob {
        int fd;
        size_t size;
        char id[BLOB_ID_MAX]; /* "": it is somebody's result */
} ReplyBlob;

/* Those of the reply that is told now, or of the last drover_call(). */
typedef struct ReplyBlobs {
        ReplyBlob items[ATTACH_FDS_MAX];
        size_t n;
} ReplyBlobs;

void reply_blobs_done(ReplyBlobs *b);
/**
 * reply_blobs_take() - the descriptors of one reply out of what was received; results that are long texts are read
 * @result: "spill" in it becomes "result", and "descriptors" goes
 * Return: 0; -EPROTO: fewer came than it says.
 */
int reply_blobs_take(ReplyBlobs *b, AttachReceived *received, json_t *result);

/** spill_is_for() - can this call, too long for a line, be made with a blob? */
bool spill_is_for(const char *method, const json_t *params);
/** spill_send() - make it so: as client_send(). */
int spill_send(drover_client *c, json_t *params, const PendingWho *who, uint64_t *ret_id, drover_error **ret_error);

#endif

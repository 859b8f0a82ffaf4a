/* log-scratch.h - the memory that survives the logger: what was taken from a pipe and is not yet written.
 *
 * The scratch is a memfd kept by the keeper, LOGGER_SCRATCH_BYTES long, mapped shared. It holds two notes and the
 * block of each. SIGKILL stops a process between two instructions and the kernel completes the call it is in, so stores in
 * program order are all that is needed: every note is filled first and switched to its state last.
 *
 *   FAST note (a file of the worker's own; read first, then write):
 *     IDLE -> READING   n, stream and place are noted, the block starts with the canary; read() of n bytes follows.
 *                       Canary gone: the read has happened. The place tells how far the writing came.
 *   PEEK note (whole lines, shared files, the journal, a disk in trouble; write first, then consume):
 *     IDLE -> WRITING   the block is a copy (tee) of what is still in the pipe
 *          -> CONSUMING place.done bytes are written and leave the pipe next; the block's first byte is inverted, so
 *                       the read that consumes shows itself by putting it right.
 *
 * The place has two copies and an index, so that it changes in one store. A block of the FAST note whose writing failed
 * stays there ("parked") until the disk takes it; meanwhile everything goes by PEEK, so one is the most. */
#ifndef DROVER_LOGGER_LOG_SCRATCH_H
#define DROVER_LOGGER_LOG_SCRATCH_H

#include "base/macro.h"
#include "link/log-spec.h"

#define SCRATCH_BLOCK_BYTES (64u * 1024)
#define SCRATCH_EXTRA_BYTES 16u /* a mark and a newline behind a block that ends in the middle of a line */
#define SCRATCH_CANARY_BYTES 16u /* fewer bytes than these are never read FAST: data could equal the canary */

typedef enum ScratchState {
        SCRATCH_IDLE,
        SCRATCH_READING,
        SCRATCH_WRITING,
        SCRATCH_CONSUMING,
} ScratchState;

typedef struct LogStreamId {
        uint32_t slot, stream; /* stream: LOG_STREAM_* */
        uint64_t generation;
} LogStreamId;

typedef struct ScratchPlace {
        uint64_t done;             /* bytes of the block that are surely written */
        uint64_t dev, ino, offset; /* the file and its size before the write that may be going on; ino 0: none is */
        uint64_t time_usec;        /* formatted lines (log-format.h): those of n_chunk bytes are written, with this time */
        uint64_t n_chunk;          /* 0: the bytes are written as they are */
} ScratchPlace;

typedef struct ScratchNote {
        uint32_t state; /* ScratchState; stored last */
        uint32_t n_bytes;
        LogStreamId id;
        uint32_t place_index;
        uint32_t serial; /* another one for each block */
        ScratchPlace place[2];
        uint8_t canary[SCRATCH_CANARY_BYTES]; /* FAST; PEEK: [0] is the first byte of the data */
        LogSpec spec;
} ScratchNote;

struct LogDropRecord; /* log-drop.h */

typedef struct LogScratch {
        struct LogDropRecord *drops; /* behind the blocks */
        size_t n_drops;
        uint8_t *map;
        ScratchNote *fast, *peek;
        uint8_t *fast_block, *peek_block; /* SCRATCH_BLOCK_BYTES, and SCRATCH_EXTRA_BYTES behind them */
        uint8_t canary[SCRATCH_CANARY_BYTES];
} LogScratch;

/** log_scratch_open() - map @fd (borrowed). Notes that make no sense are cleared. -EBADMSG when it is too small, mmap errors. */
int log_scratch_open(LogScratch *s, int fd);
void log_scratch_close(LogScratch *s);

/** scratch_begin() - fill an idle note but for its spec and switch it to @state */
void scratch_begin(LogScratch *s, ScratchNote *note, ScratchState state, const LogStreamId *id, uint32_t n_bytes);
/** scratch_has_spec() - the note's spec is still that of this stream and need not be filled again. */
bool scratch_has_spec(const ScratchNote *note, const LogStreamId *id);
void scratch_set_state(ScratchNote *note, ScratchState state);
void scratch_set_place(ScratchNote *note, const ScratchPlace *place);
static inline const ScratchPlace *scratch_place(const ScratchNote *note) {
        return &note->place[note->place_index & 1];
}
/** scratch_was_read() - of a READING note: the canary is gone, the block holds data. */
bool scratch_was_read(const LogScratch *s);
/** scratch_mark_consuming() - invert the first byte of the PEEK block and switch its note to CONSUMING */
void scratch_mark_consuming(LogScratch *s);
/** scratch_was_consumed() - of a CONSUMING note: the first byte is right again, the bytes have left the pipe. */
bool scratch_was_consumed(const LogScratch *s);
static inline bool scratch_is_of(const ScratchNote *note, const LogStreamId *id) {
        return note->state != SCRATCH_IDLE && scratch_has_spec(note, id);
}

#endif

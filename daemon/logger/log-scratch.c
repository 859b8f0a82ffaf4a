/* log-scratch.c - see log-scratch.h. */
#include "logger/log-scratch.h"
#include "link/logger-protocol.h"
#include "logger/log-drop.h"
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

#define HEADER_BYTES 4096u
#define BLOCK_ROOM (SCRATCH_BLOCK_BYTES + 4096u)
#define DROPS_OFFSET (HEADER_BYTES + 2 * BLOCK_ROOM)

_Static_assert(HEADER_BYTES + 2 * BLOCK_ROOM <= LOGGER_SCRATCH_BYTES, "the scratch is too small");
_Static_assert(sizeof(ScratchNote) <= HEADER_BYTES / 2, "two notes fill the first page");

static bool text_ends(const char *s, size_t size) {
        return memchr(s, '\0', size) != NULL;
}

/* What an earlier version, or nobody, left there is not followed. */
static void note_check(ScratchNote *note) {
        const ScratchPlace *p = scratch_place(note);
        if (note->state == SCRATCH_IDLE)
                return;
        if (note->state <= SCRATCH_CONSUMING && note->n_bytes > 0 && note->n_bytes <= SCRATCH_BLOCK_BYTES &&
            p->done <= note->n_bytes + SCRATCH_EXTRA_BYTES && p->n_chunk <= note->n_bytes + SCRATCH_EXTRA_BYTES &&
            text_ends(note->spec.worker, sizeof note->spec.worker) &&
            text_ends(note->spec.path, sizeof note->spec.path))
                return;
        memset(note, 0, sizeof *note);
}

int log_scratch_open(LogScratch *s, int fd) {
        struct stat st;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (st.st_size < (off_t) LOGGER_SCRATCH_BYTES)
                return -EBADMSG;
        uint8_t *map = mmap(NULL, LOGGER_SCRATCH_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED)
                return -errno;
        /* A block that cannot be paged out cannot fault in the middle of a read. Not allowed: then so be it. */
        (void) mlock(map, LOGGER_SCRATCH_BYTES);
        *s = (LogScratch){
                .map = map,
                .fast = (ScratchNote *) map,
                .peek = (ScratchNote *) (map + HEADER_BYTES / 2),
                .fast_block = map + HEADER_BYTES,
                .peek_block = map + HEADER_BYTES + BLOCK_ROOM,
                .drops = (LogDropRecord *) (map + DROPS_OFFSET),
                .n_drops = (LOGGER_SCRATCH_BYTES - DROPS_OFFSET) / sizeof(LogDropRecord),
        };
        if (getrandom(s->canary, sizeof s->canary, 0) != sizeof s->canary)
                memset(s->canary, 0xa5, sizeof s->canary);
        note_check(s->fast);
        note_check(s->peek);
        return 0;
}

void log_scratch_close(LogScratch *s) {
        if (s->map)
                munmap(s->map, LOGGER_SCRATCH_BYTES);
        *s = (LogScratch){};
}

bool scratch_has_spec(const ScratchNote *note, const LogStreamId *id) {
        return note->id.generation == id->generation && note->id.slot == id->slot && note->id.stream == id->stream &&
               note->spec.kind != LOG_KIND_NONE;
}

void scratch_set_state(ScratchNote *note, ScratchState state) {
        __atomic_store_n(&note->state, (uint32_t) state, __ATOMIC_RELEASE);
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

void scratch_set_place(ScratchNote *note, const ScratchPlace *place) {
        uint32_t next = !(note->place_index & 1);
        note->place[next] = *place;
        __atomic_store_n(&note->place_index, next, __ATOMIC_RELEASE);
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

void scratch_begin(LogScratch *s, ScratchNote *note, ScratchState state, const LogStreamId *id, uint32_t n_bytes) {
        note->id = *id;
        note->n_bytes = n_bytes;
        note->serial++;
        scratch_set_place(note, &(ScratchPlace){});
        if (note == s->fast) {
                memcpy(note->canary, s->canary, sizeof note->canary);
                memcpy(s->fast_block, s->canary, sizeof s->canary);
        } else {
                note->canary[0] = s->peek_block[0];
        }
        scratch_set_state(note, state);
}

bool scratch_was_read(const LogScratch *s) {
        if (s->fast->state != SCRATCH_READING)
                return false;
        return memcmp(s->fast_block, s->fast->canary, SCRATCH_CANARY_BYTES) != 0;
}

void scratch_mark_consuming(LogScratch *s) {
        s->peek_block[0] = (uint8_t) ~s->peek->canary[0];
        scratch_set_state(s->peek, SCRATCH_CONSUMING);
}

bool scratch_was_consumed(const LogScratch *s) {
        return s->peek->state == SCRATCH_CONSUMING && s->peek_block[0] == s->peek->canary[0];
}

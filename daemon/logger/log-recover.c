/* log-recover.c - what a dead logger's notes mean for its successor; log-scratch.h has the states. */
#include "base/log.h"
#include "logger/log-copy.h"
#include "logger/log-drop.h"

static int sink_of_note(LogCopier *c, const ScratchNote *note, LogTarget *target, LogSink **ret) {
        int r = log_target_init(target, &note->spec);
        return r < 0 ? r : log_sink_get(c->sinks, target, note->id.stream, ret);
}

/* Read and not, or not wholly, written: write the rest now, or park it when the disk does not take it. */
static void recover_fast(LogCopier *c) {
        ScratchNote *note = c->scratch.fast;
        _cleanup_(log_sink_unrefp) LogSink *sink = NULL;
        _cleanup_(log_target_done) LogTarget target = {};
        if (note->state == SCRATCH_IDLE)
                return;
        if (!scratch_was_read(&c->scratch) || sink_of_note(c, note, &target, &sink) < 0) {
                scratch_set_state(note, SCRATCH_IDLE);
                return;
        }
        LogWrite w = {.note = note, .target = &target, .data = c->scratch.fast_block, .n_bytes = note->n_bytes};
        sink->ops->settle(sink, &w);
        log_drop_settle(sink, note);
        log_debug("%s: %u bytes were read before the restart, %llu of them written", note->spec.worker, note->n_bytes,
                  (unsigned long long) scratch_place(note)->done);
        log_copier_park(c, sink, 0);
        (void) log_copier_retry(c);
        if (!c->parked_sink)
                c->cautious_until = 0;
}

void log_recover_start(LogCopier *c) {
        recover_fast(c);
        c->is_peek_held = c->scratch.peek->state != SCRATCH_IDLE;
}

/* SIGKILL stops a write() between two pages, so half a line may stand in the file: its rest must be the next that
 * comes there, before any other writer's line. A disk that does not take it now gets it from the pipe later. */
static void recover_rest(LogCopier *c, const LogCopySource *src) {
        ScratchNote *note = c->scratch.peek;
        LogWrite w = {
                .note = note,
                .target = src->target,
                .data = c->scratch.peek_block,
                .n_bytes = note->n_bytes,
                .stream = src->id.stream,
                .is_again = true,
        };
        if (log_target_is_whole(src->target) && c->scratch.peek_block[w.n_bytes - 1] != '\n')
                w.n_bytes += log_copier_cut(c, src->target, w.n_bytes, &w.is_cut);
        src->sink->ops->settle(src->sink, &w);
        log_drop_settle(src->sink, note);
        (void) log_sink_write(src->sink, &w);
}

void log_recover_stream(LogCopier *c, const LogCopySource *src) {
        ScratchNote *note = c->scratch.peek;
        if (!c->is_peek_held || !scratch_is_of(note, &src->id))
                return;
        c->is_peek_held = false;
        if (scratch_was_consumed(&c->scratch)) {
                scratch_set_state(note, SCRATCH_IDLE);
                return;
        }
        c->scratch.peek_block[0] = note->canary[0];
        if (note->state == SCRATCH_WRITING)
                recover_rest(c, src);
        (void) log_copier_consume(c, src->fd);
}

void log_recover_give_up(LogCopier *c) {
        if (!c->is_peek_held)
                return;
        c->is_peek_held = false;
        scratch_set_state(c->scratch.peek, SCRATCH_IDLE);
}

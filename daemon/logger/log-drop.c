/* log-drop.c - see log-drop.h. */
#include "logger/log-drop.h"
#include "base/alloc.h"
#include "base/log.h"
#include "logger/log-open.h"
#include <stdio.h>

static const LogDropCount *count_of(const LogDrop *d) {
        return &d->record->count[d->record->index & 1];
}

static void count_set(LogDrop *d, const LogDropCount *count) {
        uint32_t next = !(d->record->index & 1);
        d->record->count[next] = *count;
        __atomic_store_n(&d->record->index, next, __ATOMIC_RELEASE);
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static bool is_counting(const LogDrop *d) {
        return d && (count_of(d)->n_bytes > 0 || count_of(d)->is_in_line);
}

static uint64_t hash_of(const char *key) {
        uint64_t h = 14695981039346656037u; /* FNV-1a */
        for (; *key; key++)
                h = (h ^ (uint8_t) *key) * 1099511628211u;
        return h ? h : 1;
}

static LogDropRecord *record_find(const LogScratch *s, uint64_t key) {
        for (size_t i = 0; s && i < s->n_drops; i++)
                if (s->drops[i].key == key)
                        return &s->drops[i];
        return NULL;
}

/* True for a number no other block of this scratch has had lately. */
static uint64_t block_number(const LogSink *s, const ScratchNote *note) {
        bool is_fast = s->table->scratch && note == s->table->scratch->fast;
        return ((uint64_t) note->serial << 2) | (is_fast ? 3 : 1);
}

static void on_time(LoopTimer *t);

static LogDrop *drop_new(LogSink *s, LogDropRecord *record, const LogTarget *target, uint32_t stream) {
        LogDrop *d = NEW0(LogDrop);
        LogSpec spec;
        if (!d)
                return NULL;
        log_target_spec(target, &spec);
        if (log_target_init(&d->target, &spec) < 0) {
                free(d);
                return NULL;
        }
        d->stream = stream;
        d->sink = s;
        d->record = record ? record : &d->own;
        d->timer.on_time = on_time;
        return d;
}

/* The sink's count; made when there is none. NULL: short of memory. */
static LogDrop *drop_get(LogSink *s, const LogWrite *w) {
        LogDrop *d = s->drop;
        if (d)
                return d;
        d = drop_new(s, record_find(s->table->scratch, 0), w->target, w->stream);
        if (!d)
                return NULL;
        memset(d->record->count, 0, sizeof d->record->count);
        d->record->key = hash_of(s->key);
        s->drop = d;
        return d;
}

static void drop_free(LogSink *s) {
        LogDrop *d = s->drop;
        log_loop_disarm(s->table->loop, &d->timer);
        log_target_done(&d->target);
        free(d);
        s->drop = NULL;
}

static void drop_tell(const LogDrop *d, bool is_over) {
        LogSinkTable *t = d->sink->table;
        const LogDropCount *c = count_of(d);
        LogMessageDropped m = {
                .worker = d->sink->worker,
                .stream = d->stream,
                .n_lines = c->n_lines,
                .n_bytes = c->n_bytes,
                .error = c->error,
                .is_over = is_over,
        };
        if (t->on_dropped)
                t->on_dropped(t, &m);
}

/* Counts the block from place.done up to @upto as dropped. */
static void drop_bytes(LogDrop *d, LogWrite *w, size_t upto, int error) {
        uint64_t done = scratch_place(w->note)->done;
        LogDropCount c = *count_of(d);
        bool was_counting = is_counting(d), is_in_line = c.is_in_line;
        if (done >= upto)
                return;
        for (const uint8_t *p = w->data + done, *end = w->data + upto; p < end;) {
                const uint8_t *newline = memchr(p, '\n', (size_t) (end - p));
                c.n_lines += !is_in_line;
                is_in_line = !newline;
                p = newline ? newline + 1 : end;
        }
        /* A newline that was added is none of the worker's bytes, and its line may go on. */
        bool is_added = upto == w->n_bytes && upto > w->note->n_bytes;
        c.n_bytes += (is_added ? w->note->n_bytes : upto) - done;
        c.is_in_line = is_in_line || is_added;
        c.error = error < 0 ? -error : c.error;
        c.mark = (LogMarkPlace){};
        c.block = block_number(d->sink, w->note);
        c.upto = upto;
        count_set(d, &c);
        scratch_set_place(w->note, &(ScratchPlace){.done = upto});
        if (!was_counting)
                drop_tell(d, false);
}

static void drop_wait(LogDrop *d) {
        LogLoop *l = d->sink->table->loop;
        d->again_usec = usec_add(l->now, LOG_DROP_USEC);
        (void) log_loop_arm(l, &d->timer, d->again_usec);
}

static void on_mark_place(void *userdata, const LogMarkPlace *p) {
        LogDrop *d = userdata;
        LogDropCount c = *count_of(d);
        c.mark = *p;
        count_set(d, &c);
}

#define MARK_TEXT_MAX 192

static LogMark mark_of(LogDrop *d, char text[static MARK_TEXT_MAX]) {
        const LogDropCount *c = count_of(d);
        snprintf(text, MARK_TEXT_MAX, "drover: %llu lines (%llu bytes) dropped: %s", (unsigned long long) c->n_lines,
                 (unsigned long long) c->n_bytes, strerror(c->error));
        return (LogMark){.target = &d->target, .text = text, .stream = d->stream, .on_place = on_mark_place, .userdata = d};
}

/* The file tells of it now. */
static void drop_told(LogDrop *d) {
        const LogDropCount *c = count_of(d);
        drop_tell(d, true);
        count_set(d, &(LogDropCount){.block = c->block, .upto = c->upto, .is_in_line = c->is_in_line});
}

/* The line that tells of it. 0: nothing is counted any more. */
static int drop_mark(LogDrop *d) {
        char text[MARK_TEXT_MAX];
        if (count_of(d)->n_lines == 0)
                return 0;
        LogMark m = mark_of(d, text);
        int r = d->sink->ops->mark(d->sink, &m);
        if (r == 0)
                drop_told(d);
        return r;
}

/* A dead logger was about to write that line. */
static void drop_settle_mark(LogDrop *d) {
        char text[MARK_TEXT_MAX];
        LogMark m = mark_of(d, text);
        if (count_of(d)->n_lines > 0 && d->sink->ops->has_mark(d->sink, &m, &count_of(d)->mark))
                drop_told(d);
}

static void drop_release(LogSink *s) {
        memset(s->drop->record, 0, sizeof *s->drop->record);
        drop_free(s);
}

static void on_time(LoopTimer *t) {
        LogDrop *d = container_of(t, LogDrop, timer);
        if (count_of(d)->is_in_line)
                return; /* the rest of the line comes first */
        if (drop_mark(d) < 0)
                drop_wait(d);
        else
                drop_release(d->sink);
}

/* In the middle of a line that is being dropped: up to where it goes. */
static size_t line_end(const LogWrite *w) {
        uint64_t done = scratch_place(w->note)->done;
        const uint8_t *newline = memchr(w->data + done, '\n', w->n_bytes - done);
        return newline ? (size_t) (newline - w->data) + 1 : w->n_bytes;
}

/* True: the disk may be tried with what is left of the block. */
static bool drop_resume(LogDrop *d, LogWrite *w) {
        LogSink *s = d->sink;
        if (s->table->loop->now < d->again_usec)
                return false;
        if (count_of(d)->is_in_line)
                drop_bytes(d, w, line_end(w), 0);
        if (count_of(d)->is_in_line || drop_mark(d) < 0) {
                drop_wait(d);
                return false;
        }
        /* The block's count stays until the block is done: see log_drop_settle(). */
        log_loop_disarm(s->table->loop, &d->timer);
        return true;
}

int log_drop_write(LogSink *s, LogWrite *w) {
        bool may_drop = w->target->bounds.on_full == LOG_ON_FULL_DROP && s->ops->mark;
        LogDrop *d = s->drop;
        if (is_counting(d) && !drop_resume(d, w)) {
                drop_bytes(d, w, w->n_bytes, 0);
                return 0;
        }
        int r = log_sink_write(s, w);
        if (r == 0 && d && !is_counting(d))
                drop_release(s);
        if (r == 0 || r == -EAGAIN || !may_drop || log_open_is_refusal(r))
                return r;
        d = drop_get(s, w);
        if (!d)
                return r;
        drop_bytes(d, w, w->n_bytes, r);
        drop_wait(d);
        return 0;
}

void log_drop_adopt(LogSink *s, const LogTarget *target, uint32_t stream) {
        LogDropRecord *r = s->table->scratch ? record_find(s->table->scratch, hash_of(s->key)) : NULL;
        if (!r || !s->ops->mark)
                return;
        s->drop = drop_new(s, r, target, stream);
        if (!s->drop)
                return;
        drop_settle_mark(s->drop);
        drop_wait(s->drop);
}

void log_drop_settle(LogSink *s, ScratchNote *note) {
        const LogDropCount *c = s->drop ? count_of(s->drop) : NULL;
        if (c && c->block == block_number(s, note) && c->upto > scratch_place(note)->done)
                scratch_set_place(note, &(ScratchPlace){.done = c->upto});
}

void log_drop_end(LogSink *s) {
        if (!s->drop)
                return;
        if (!is_counting(s->drop) || drop_mark(s->drop) == 0)
                drop_release(s);
        else
                drop_free(s);
}

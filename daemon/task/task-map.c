/* task-map.c - many calls of one target: items in, chunks to workers, results out.
 *
 * Items come as texts of arrays and stay such: a block is one text with the ends of its elements, freed when all of it is
 * done. A chunk is a piece of one block, and how large it is is decided when a worker takes it: as asked for, or about
 * ROUND_USEC of work by what items have taken so far; one item for a worker that knows no chunks. Results that are early are
 * held when order is wanted; beyond TASK_MAP_AHEAD_MAX of them, or beyond what the reader reads, nothing more is given out.
 *
 * When a worker dies, items of its chunk that it had finished have their results in its page; of one without a page all count as
 * begun. */
#include "task/task-internal.h"

#include "base/alloc.h"
#include "wire/protocol.h"
#include <stdio.h>

#define CHUNK_MAX 4096u
#define CHUNK_BYTES_MAX (32u * 1024)
#define ITEM_BYTES_MAX (TASK_LINE_MAX - 1024)

/* ---- blocks ---- */

static MapBlock *block_free(MapBlock *b) {
        free(b->ends);
        free(b->text);
        free(b);
        return NULL;
}

static MapBlock *block_of(const TaskMap *m, size_t item) {
        MapBlock *b;

        DL_FOREACH(m->blocks, b)
                if (item >= b->first && item < b->first + b->n)
                        return b;
        return NULL;
}

static size_t item_begin(const MapBlock *b, size_t i) {
        return i == 0 ? b->begin : slice_next(b->text, b->ends[i - 1]);
}

void map_items_done(TaskMap *m, size_t first, size_t n) {
        MapBlock *b = m->is_count ? NULL : block_of(m, first);

        if (!b)
                return;
        b->n_left -= MIN(n, b->n_left);
        if (b->n_left > 0)
                return;
        DL_DELETE(m->blocks, b);
        m->bytes -= b->size;
        task_room_discharge(m->pool->room, m->uid, b->size);
        block_free(b);
}

/* ---- making ---- */

int task_map_new(TaskMap **ret, TaskRoom *r, Pool *pool, const TaskMapSpec *s, const TaskMapSink *sink, void *userdata) {
        TaskPool *p = task_pool_get(r, pool);
        char why[KEEPER_TEXT_MAX];
        bool is_hopeless = pool_has_given_up(pool, why, sizeof why);
        TaskMap *m = p && !is_hopeless ? NEW0(TaskMap) : NULL;
        _cleanup_text_ Text target = {0};
        size_t length;

        if (!m)
                return is_hopeless ? -EHOSTDOWN : -ENOMEM;
        json_put_string(&target, NULL, s->target);
        m->target = text_take(&target);
        m->kwargs = s->kwargs.at && s->kwargs.n > 2 ? slice_dup(s->kwargs, &length) : NULL;
        if (!m->target || (s->kwargs.at && s->kwargs.n > 2 && !m->kwargs)) {
                free(m->target);
                free(m->kwargs);
                free(m);
                return -ENOMEM;
        }
        m->node = (QueueNode){.priority = s->priority, .is_map = true};
        m->pool = p;
        m->number = task_pool_number(p);
        m->uid = s->uid;
        m->timeout = s->timeout;
        m->attempts = s->attempts;
        m->chunk = s->chunk;
        m->is_ordered = s->is_ordered;
        m->is_count = m->is_ended = s->is_count;
        m->n_items = s->is_count ? s->count : 0;
        m->sink = *sink;
        m->userdata = userdata;
        DL_APPEND2(p->maps, m, of_pool_prev, of_pool_next);
        p->n_queued += m->n_items;
        if (m->n_items > 0)
                queue_push(p, &m->node);
        *ret = m;
        return 0;
}

static int block_make(Slice items, MapBlock **ret) {
        MapBlock *b = NEW0(MapBlock);
        size_t most = items.n / 2 + 1, length;
        ssize_t n;

        if (!b)
                return -ENOMEM;
        b->ends = NEW0_ARRAY(uint32_t, most);
        b->text = slice_dup(items, &length);
        n = b->ends && b->text ? slice_array(b->text, length, b->ends, most, &b->begin, NULL) : -ENOMEM;
        if (n < 0) {
                block_free(b);
                return (int) n;
        }
        b->n = b->n_left = (size_t) n;
        b->size = length + b->n * sizeof *b->ends;
        for (size_t i = 0; i < b->n; i++)
                if (b->ends[i] - item_begin(b, i) > ITEM_BYTES_MAX) {
                        block_free(b);
                        return -E2BIG;
                }
        *ret = b;
        return 0;
}

int task_map_add(TaskMap *m, Slice items) {
        MapBlock *b = NULL;
        int r = block_make(items, &b);

        if (r >= 0 && b->n > 0)
                r = task_room_charge(m->pool->room, m->uid, b->size);
        if (r < 0 || b->n == 0) {
                if (b)
                        block_free(b);
                return r;
        }
        b->first = m->n_items;
        DL_APPEND(m->blocks, b);
        m->bytes += b->size;
        m->n_items += b->n;
        m->pool->n_queued += b->n;
        queue_push(m->pool, &m->node);
        return 0;
}

bool task_map_has_room(const TaskMap *m) {
        return m->n_items - m->next < TASK_MAP_AHEAD_MAX && m->bytes < TASK_MAP_BYTES_MAX;
}

void task_map_end_items(TaskMap *m) {
        m->is_ended = true;
        map_check_done(m);
}

void task_map_pause(TaskMap *m, bool is_paused) {
        m->is_paused = is_paused;
        task_pool_mark(m->pool);
}

bool task_map_is_ended(const TaskMap *m) {
        return m->is_ended || !m->pool->pool;
}

Pool *task_map_pool(const TaskMap *m) {
        return m->pool->pool;
}

const char *task_map_fault(const TaskMap *m, int *ret_code) {
        *ret_code = m->fault_code;
        return m->fault;
}

void task_map_counts(const TaskMap *m, size_t *ret_n_items, size_t *ret_n_failed) {
        *ret_n_items = m->n_items;
        *ret_n_failed = m->n_failed;
}

const char *task_map_id(const TaskMap *m, char buf[static TASK_ID_MAX]) {
        (void) snprintf(buf, TASK_ID_MAX, "%s-%llu", m->pool->name, (unsigned long long) m->number);
        return buf;
}

size_t map_n_waiting(const TaskMap *m) {
        size_t n = m->n_items - m->next;
        MapRange *r;

        DL_FOREACH(m->redo, r)
                n += r->n;
        return n;
}

TaskMap *task_map_free(TaskMap *m) {
        MapBlock *b, *next;
        MapRange *r, *after;
        MapHeld *h, *follow;
        Channel *c;
        usec_t now = clock_now();

        if (!m)
                return NULL;
        DL_FOREACH(m->pool->channels, c)
                for (size_t i = 0; i < PIECES_MAX; i++)
                        if (c->pieces[i].map == m) {
                                c->pieces[i].map = NULL;
                                c->pieces[i].orphaned_at = now;
                        }
        task_room_arm(m->pool->room, usec_add(now, TASK_GRACE_USEC));
        m->pool->n_queued -= map_n_waiting(m);
        queue_remove(m->pool, &m->node);
        task_pool_mark(m->pool);
        DL_FOREACH_SAFE(m->blocks, b, next) {
                task_room_discharge(m->pool->room, m->uid, b->size);
                block_free(b);
        }
        DL_FOREACH_SAFE(m->redo, r, after)
                free(r);
        DL_FOREACH_SAFE(m->held, h, follow) {
                free(h->results);
                free(h->errors);
                free(h);
        }
        DL_DELETE2(m->pool->maps, m, of_pool_prev, of_pool_next);
        words_forget(m->pool->room, NULL, m);
        map_deaths_done(m);
        free(m->fault);
        free(m->target);
        free(m->kwargs);
        free(m);
        return NULL;
}

/* ---- to workers ---- */

bool map_can_give(const TaskMap *m) {
        if (m->is_paused)
                return false;
        if (m->redo)
                return true;
        return m->next < m->n_items && m->held_bytes < TASK_MAP_BYTES_MAX && m->next - m->emitted < 2 * TASK_MAP_AHEAD_MAX;
}

static size_t chunk_wanted(const TaskMap *m, const Channel *c, size_t left) {
        unsigned n_workers = MAX(pool_n_ready(m->pool->pool), 1u);
        size_t fair = MAX(left / (2 * (size_t) n_workers), (size_t) 1), n, most;

        if (!c->takes_items || m->kwargs)
                return 1;
        most = (size_t) MIN(channel_n_left(c), (uint64_t) CHUNK_MAX);
        if (m->chunk > 0)
                return MIN(m->chunk, most);
        n = m->usec_per_item > 0 ? (size_t) MIN((double) ROUND_USEC / m->usec_per_item, (double) most) : 1;
        return MAX(MIN(n, fair), (size_t) 1);
}

/* The next items: of those to be done once more, then new ones; of one block and not too long. */
static size_t take_items(TaskMap *m, size_t wanted, size_t *ret_n, unsigned *ret_deaths) {
        MapRange *r = m->redo;
        size_t first = r ? r->first : m->next, n = MIN(wanted, r ? r->n : m->n_items - m->next);
        MapBlock *b = m->is_count ? NULL : block_of(m, first);

        if (r && r->n_deaths > 0)
                n = 1; /* alone, so that it kills nobody else's result */
        if (b) {
                size_t i = first - b->first;

                n = MIN(n, b->n - i);
                while (n > 1 && b->ends[i + n - 1] - item_begin(b, i) > CHUNK_BYTES_MAX)
                        n = (n + 1) / 2;
        }
        *ret_n = n;
        *ret_deaths = r ? r->n_deaths : 0;
        if (!r) {
                m->next += n;
        } else if (r->n > n) {
                r->first += n;
                r->n -= n;
        } else {
                DL_DELETE(m->redo, r);
                free(r);
        }
        return first;
}

static void append_items(TaskMap *m, size_t first, size_t n, Text *t) {
        MapBlock *b = m->is_count ? NULL : block_of(m, first);

        if (b) {
                size_t i = first - b->first, begin = item_begin(b, i);

                text_append_n(t, b->text + begin, b->ends[i + n - 1] - begin);
                return;
        }
        for (size_t i = 0; i < n; i++) {
                if (i > 0)
                        text_append_char(t, ',');
                text_append_u64(t, first + i);
        }
}

static void append_request(TaskMap *m, const Piece *p, bool as_items, Text *t) {
        text_append(t, "{\"jsonrpc\":\"2.0\",\"id\":");
        text_append_u64(t, p->id);
        text_append(t, ",\"method\":");
        text_append(t, m->target);
        text_append(t, as_items ? ",\"params\":{\"items\":[" : ",\"params\":{\"args\":[");
        append_items(m, p->first, p->n, t);
        text_append_char(t, ']');
        if (!as_items) {
                text_append(t, ",\"kwargs\":");
                text_append(t, m->kwargs ? m->kwargs : "{}");
        }
        text_append(t, "}}\n");
}

void map_give(TaskMap *m, Channel *c) {
        size_t left = m->n_items - m->next, wanted = chunk_wanted(m, c, left), n, before = c->out.length, first;
        unsigned n_deaths;
        Piece *p;

        first = take_items(m, wanted, &n, &n_deaths);
        p = channel_add(c, (uint32_t) n, 0);
        p->map = m;
        p->first = first;
        p->n_deaths = n_deaths;
        p->timeout = m->timeout > 0 ? usec_mul(m->timeout, (double) n) : 0;
        if (p->timeout > 0)
                task_room_arm(m->pool->room, usec_add(clock_now(), p->timeout));
        p->as_items = n > 1;
        append_request(m, p, p->as_items, &c->out);
        channel_added(c, p, before);
        m->n_open++;
        m->pool->n_queued -= n;
        if (!m->redo && m->next == m->n_items)
                queue_remove(m->pool, &m->node);
        m->was_full |= !task_map_has_room(m) || left > TASK_MAP_AHEAD_MAX / 2;
        if (m->was_full && m->n_items - m->next <= TASK_MAP_AHEAD_MAX / 2 && m->bytes < TASK_MAP_BYTES_MAX) {
                m->was_full = false;
                m->sink.on_room(m, m->userdata);
        }
}

void map_redo(TaskMap *m, size_t first, size_t n, unsigned n_deaths) {
        MapRange *r = NEW0(MapRange);

        if (!r) {
                _cleanup_text_ Text error = {0};

                error_plain(&error, NULL, ERROR_INTERNAL, "the daemon is short of memory");
                map_failed(m, first, n, error_text(&error));
                return;
        }
        *r = (MapRange){.first = first, .n = n, .n_deaths = n_deaths};
        DL_PREPEND(m->redo, r);
        m->pool->n_queued += n;
        queue_unpop(m->pool, &m->node);
}

/* task-death.c - a worker is gone: who is to blame?
 *
 * What it said before is taken first, and what it finished and did not come to say. Of what is left without an answer, the
 * request that it was at is charged: by the page, which counts calls begun; without one, all of the first. All others were
 * only waiting in its channel and go back to the front of the queue, in order, as if nothing had been. */
#include "task/task-internal.h"

#include "base/alloc.h"
#include "base/log.h"

#define UNREAD_DEATHS_MAX 10u /* one after the other, with no answer from any: these workers never read, and whoever waits is told */

#define MAP_DEATHS_MAX 1000u /* items of one map whose ends are remembered */

/* How many calls of @p had begun, when @n_started calls had since the last answer. */
static uint32_t begun_of(const Piece *p, uint64_t n_started) {
        return (uint32_t) MIN((uint64_t) p->n, n_started);
}

/* The kernel says whether all was read: what it is at it had not even got. */
static bool is_unread(const Channel *c) {
        if (c->n_open == 0)
                return false;
        return (c->has_unread && c->n_open == 1) || (c->is_unsendable && c->head > c->ledger->n_sent);
}

static uint64_t started_since_answer(const Channel *c, const ExitStatus *e) {
        if (e->is_failure_to_start)
                return 0;
        if (c->has_page)
                return channel_n_begun(c);
        if (c->is_half_closed && exit_status_exitcode(e) == 0) /* it came to the end of what it was given */
                return 0;
        if (is_unread(c) && ++c->pool->n_unread_deaths <= UNREAD_DEATHS_MAX)
                return 0;
        return c->n_open > 0 ? c->pieces[c->head % PIECES_MAX].n : 0; /* of a chunk nobody knows how much */
}

/* ---- maps ---- */

static void death_free(TaskMap *m, MapDeath *d) {
        DL_DELETE(m->deaths, d);
        m->n_deaths--;
        free(d->exits);
        free(d);
}

void map_deaths_done(TaskMap *m) {
        while (m->deaths)
                death_free(m, m->deaths);
}

/* Those of items that were done after all are of no interest, and go first. */
static MapDeath *death_new(TaskMap *m, size_t item) {
        MapDeath *d;

        if (m->n_deaths >= MAP_DEATHS_MAX)
                death_free(m, m->deaths);
        d = NEW0(MapDeath);
        if (!d)
                return NULL;
        d->item = item;
        DL_APPEND(m->deaths, d);
        m->n_deaths++;
        return d;
}

/* One more end with @item. *ret: all of them, for the error; the caller frees. */
static void note_death(TaskMap *m, size_t item, bool is_last, const Channel *c, const ExitStatus *e, char **ret) {
        _cleanup_text_ Text exits = {0};
        MapDeath *d;

        DL_SEARCH_SCALAR(m->deaths, d, item, item);
        text_append(&exits, d && d->exits ? d->exits : "");
        exit_put(&exits, c, e);
        if (is_last && d)
                death_free(m, d);
        if (text_check(&exits) < 0)
                return;
        if (is_last) {
                *ret = text_take(&exits);
                return;
        }
        d = d ? d : death_new(m, item);
        if (!d)
                return;
        free(d->exits);
        d->exits = text_take(&exits);
}

/* Of a worker without a page, items that were done before the one that killed it have no answer either: they ran, and may run
 * again only by leave. */
static void map_died(Channel *c, Piece *p, uint32_t n_begun, const ExitStatus *e) {
        TaskMap *m = p->map;
        bool is_last = p->n_deaths + 1 >= m->attempts;
        _cleanup_free_ char *exits = NULL;
        _cleanup_text_ Text error = {0};

        m->n_open--;
        if (n_begun < p->n)
                map_redo(m, p->first + n_begun, p->n - n_begun, p->n_deaths);
        if (n_begun == 0)
                return;
        note_death(m, p->first + n_begun - 1, is_last, c, e, &exits);
        error_of_death(&error, NULL, c, e, p->n_deaths + 1, exits);
        if (!is_last) {
                map_redo(m, p->first + n_begun - 1, 1, p->n_deaths + 1);
                if (n_begun > 1)
                        map_redo(m, p->first, n_begun - 1, p->n_deaths);
        } else if (!words_await_items(m, p->first, n_begun, error_text(&error), c, e)) {
                map_failed(m, p->first, n_begun, error_text(&error));
        }
}

static void piece_died(Channel *c, Piece *p, uint64_t n_started, const ExitStatus *e) {
        uint32_t n_begun = begun_of(p, n_started);

        if (p->map)
                map_died(c, p, n_begun, e);
        else if (p->task && n_begun > 0)
                task_died_with(p->task, c, e);
        else if (p->task)
                task_requeue(p->task);
        p->n = 0;
}

void channel_ended(Channel *c, const ExitStatus *e) {
        uint64_t n_started, first = c->head, last;
        TaskPool *p = c->pool;
        uint64_t begun[PIECES_MAX];

        if (!c->is_over && !e->is_failure_to_start) {
                c->n_consume = 0;
                answer_receive(c);
        }
        channel_take_kept(c);
        n_started = started_since_answer(c, e);
        first = c->head;
        last = c->next_id;
        for (uint64_t id = first; id < last; id++) {
                Piece *piece = channel_piece(c, id);

                begun[id % PIECES_MAX] = n_started;
                n_started -= piece ? MIN(n_started, (uint64_t) piece->n) : 0;
        }
        for (uint64_t id = last; id-- > first;) { /* the last first: each goes to the front */
                Piece *piece = channel_piece(c, id);

                if (piece)
                        piece_died(c, piece, begun[id % PIECES_MAX], e);
        }
        channel_drop_kept(c);
        channel_free(c);
        task_pool_mark(p);
}

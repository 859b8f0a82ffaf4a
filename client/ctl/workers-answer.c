/* workers-answer.c - the answer of most verbs. Pure but for the writing. */
#include "ctl/workers-answer.h"

#include "ctl/output.h"
#include "ctl/view.h"

/* What a pool's workers have become, for one line a pool: "web: 3 running, 1 failed". */
typedef struct Tally {
        const char *pool;
        struct {
                const char *state;
                size_t n;
        } states[8];
        size_t n_states;
} Tally;

static void tally_add(Tally *y, const char *state) {
        for (size_t i = 0; i < y->n_states; i++)
                if (streq(y->states[i].state, state)) {
                        y->states[i].n++;
                        return;
                }
        if (y->n_states < ARRAY_SIZE(y->states)) {
                y->states[y->n_states].state = state;
                y->states[y->n_states++].n = 1;
        }
}

static void tally_put(const Tally *y, Text *out) {
        escape_append(out, y->pool);
        for (size_t i = 0; i < y->n_states; i++) {
                text_appendf(out, "%s %zu ", i ? "," : ":", y->states[i].n);
                escape_append(out, y->states[i].state);
        }
        text_append_char(out, '\n');
}

/* Workers of one pool stand together in the daemon's answer. */
static void put_tallies(Text *out, const json_t *workers) {
        Tally y = {};
        const json_t *w;
        size_t i;

        json_array_foreach(workers, i, w) {
                const char *pool = member_text(w, "pool", member_text(w, "name", "?"));
                if (y.pool && !streq(y.pool, pool)) {
                        tally_put(&y, out);
                        y = (Tally){};
                }
                y.pool = pool;
                tally_add(&y, member_text(w, "state", "?"));
        }
        if (y.pool)
                tally_put(&y, out);
}

static void put_rows(const Ctl *c, Text *out, const json_t *workers) {
        _cleanup_table_ Table t = {};
        const json_t *w;
        size_t i;

        table_init(&t, view_worker_columns, VIEW_WORKER_COLUMNS);
        json_array_foreach(workers, i, w)
                view_worker_row(&t, w, clock_realtime());
        if (t.n_cells)
                table_print(&t, out, c->width, true, c->use_color);
}

int workers_answer_show(const Ctl *c, const json_t *result, int status) {
        const json_t *workers = json_object_get(result, "workers"), *w;
        _cleanup_text_ Text out = {};
        size_t i;

        if (c->is_quiet)
                return status;
        switch (c->show) {
        case SHOW_JSON:
                json_append(&out, result, true);
                break;
        case SHOW_JSONL:
                json_array_foreach(workers, i, w)
                        json_append(&out, w, false);
                break;
        case SHOW_NAME:
                json_array_foreach(workers, i, w) {
                        escape_append(&out, member_text(w, "name", "?"));
                        text_append_char(&out, '\n');
                }
                break;
        case SHOW_WIDE:
                put_rows(c, &out, workers);
                break;
        case SHOW_TABLE:
                put_tallies(&out, workers);
                break;
        }
        return ctl_put_text(&out, status);
}

int workers_answer_started(const Ctl *c, const json_t *workers) {
        int status = CTL_DONE;
        const json_t *w;
        size_t i;

        json_array_foreach(workers, i, w) {
                const char *state = member_text(w, "state", "");
                _cleanup_text_ Text note = {};
                bool is_bad = streq(state, "failed") || streq(state, "backoff") ||
                              (streq(state, "exited") && member_number(w, "exitcode", 0) != 0);
                if (!is_bad || c->no_wait)
                        continue;
                view_note(&note, w, clock_realtime());
                ctl_say("%s: %s%s%s", member_text(w, "name", "?"), state, note.length ? ": " : "",
                        note.length ? note.data : "");
                status = CTL_FAILED;
        }
        return status;
}

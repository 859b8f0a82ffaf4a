/* progress.c - what is waited for. */
#include "ctl/progress.h"

#include "ctl/interrupt.h"
#include "ctl/output.h"
#include <sys/ioctl.h>
#include <unistd.h>

typedef struct Progress {
        const Ctl *ctl;
        const char *method, *goal;
        json_t *select; /* NULL: all */
        usec_t began;
        bool is_asking, is_shown;
} Progress;

/* A worker that is not yet what the call wants of it. */
static bool is_awaited(const json_t *w, const char *method, const char *goal) {
        const char *state = member_text(w, "state", "");

        if (streq(method, "stop") || streq(method, "pool.remove") || (goal && streq(goal, "stopped")) ||
            (goal && streq(goal, "exit")))
                return member_bool(w, "alive") || streq(state, "starting") || streq(state, "stopping");
        if (goal && streq(goal, "idle"))
                return member_bool(w, "busy");
        return streq(state, "starting") || streq(state, "stopping") || streq(state, "backoff") ||
               (streq(state, "created") && member_bool(w, "wanted"));
}

/* A task waits for any worker of its pool; one that is ready takes it in its turn. */
static bool has_what_is_awaited(const json_t *pool, const char *method) {
        return strncmp(method, "task.", 5) == 0 && json_integer_value(json_object_get(pool, "ready")) > 0;
}

void progress_put(Text *out, const json_t *status, const char *method, const char *goal, usec_t waited) {
        char span[SPAN_TEXT_MAX];
        size_t i, k, n_more = 0;
        const json_t *p, *w;

        json_array_foreach(json_object_get(status, "pools"), i, p)
                json_array_foreach(json_object_get(p, "workers"), k, w) {
                        if (has_what_is_awaited(p, method) || !is_awaited(w, method, goal))
                                continue;
                        if (out->length) {
                                n_more++;
                                continue;
                        }
                        text_append(out, "waiting for ");
                        escape_append(out, member_text(w, "name", "?"));
                        text_append(out, ": ");
                        escape_append(out, member_text(w, "state", "?"));
                        text_appendf(out, " %s", span_format(span, waited / USEC_PER_SEC * USEC_PER_SEC));
                        const char *note = member_text(w, "note", member_text(w, "status_text", ""));
                        text_append(out, *note ? ", " : "");
                        escape_append(out, note);
                }
        if (n_more)
                text_appendf(out, " (and %zu more)", n_more);
}

static void put_line(Progress *p, const Text *line) {
        struct winsize w = {};
        _cleanup_text_ Text out = {};
        size_t columns = ioctl(STDERR_FILENO, TIOCGWINSZ, &w) >= 0 && w.ws_col ? w.ws_col : 80;

        text_append(&out, "\r\033[K");
        if (line->length)
                text_append_n(&out, line->data, text_cut(line->data, columns - 1));
        (void) output_write(STDERR_FILENO, &out);
        p->is_shown = line->length > 0;
}

static void on_status(json_t *result, _unused_ const CallError *error, void *userdata) {
        _cleanup_text_ Text line = {};
        Progress *p = userdata;

        p->is_asking = false;
        if (!result || !p->ctl)
                return;
        progress_put(&line, result, p->method, p->goal, clock_now() - p->began);
        if (line.length || p->is_shown)
                put_line(p, &line);
}

/* One call in flight; its answer may come after the call that is waited for, and then finds nobody. */
static void on_tick(Session *s, void *userdata) {
        _cleanup_json_ json_t *params = json_object();
        Progress *p = userdata;

        if (p->is_asking || !params || (p->select && json_object_set(params, "select", p->select) < 0))
                return;
        p->is_asking = session_call_async(s, "status", params, on_status, p) >= 0;
}

/* The pools of tasks: an id is POOL-N. */
static json_t *pools_of(const json_t *tasks) {
        json_t *pools = json_array(), *task;
        size_t i;

        json_array_foreach(tasks, i, task) {
                const char *id = json_string_value(task), *dash = id ? strrchr(id, '-') : NULL;

                if (dash && json_array_append_new(pools, json_stringn(id, (size_t) (dash - id))) < 0)
                        break;
        }
        return pools;
}

/* Return: a new reference, or NULL: all. */
static json_t *select_of(json_t *params) {
        json_t *select = json_object_get(params, "select"), *tasks = json_object_get(params, "tasks");

        if (tasks)
                return pools_of(tasks);
        return json_incref(select ? select : json_object_get(params, "pool"));
}

int progress_call(const Ctl *c, const char *method, json_t *params, usec_t deadline, json_t **ret, CallError *error) {
        static Progress progress; /* outlives the call: see on_tick() */

        if (c->is_quiet || c->no_wait || !isatty(STDERR_FILENO))
                return interrupt_call(c->session, method, params, deadline, ret, error);
        bool was_asking = progress.is_asking;
        progress = (Progress){.ctl = c,
                              .method = method,
                              .goal = member_text(params, "for", NULL),
                              .select = select_of(params),
                              .began = clock_now(),
                              .is_asking = was_asking && session_is_open(c->session)};
        const InterruptTick tick = {.first = PROGRESS_PATIENCE, .period = PROGRESS_PERIOD, .on_tick = on_tick, .userdata = &progress};
        int r = interrupt_call_ticking(c->session, method, params, deadline, &tick, ret, error);
        progress.ctl = NULL;
        json_decref(TAKE_PTR(progress.select));
        if (progress.is_shown)
                put_line(&progress, &(Text){});
        return r;
}

/* cmd-task-map.c - map: a target called for each line of stdin, a line of JSON out for each.
 *
 * Nothing is gathered: lines are read while the daemon takes items (it answers task.items when it has room), results are
 * written as they come, and while nobody reads them the connection is not read, so that the daemon stops giving out work.
 * The map belongs to the connection: however droverctl ends, what no worker has begun is not done. */
#include "base/alloc.h"
#include "ctl/command.h"
#include "ctl/interrupt.h"
#include "ctl/map-items.h"
#include "ctl/map-progress.h"
#include "ctl/output.h"
#include "ctl/task-params.h"
#include "wire/slice.h"
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define UNANSWERED_MAX 2   /* task.items on their way: one is taken in while the next is made */
#define OUT_FLUSH 65536

typedef struct Map {
        Ctl *ctl;
        MapItems items;
        MapProgress progress;
        SessionCall *call; /* NULL: it is over */
        Text out;
        size_t n_results, n_sent;
        unsigned n_unanswered;
        bool is_bare; /* a result alone on its line */
        bool is_told; /* that there are no more items */
        bool is_done;
        int status;
} Map;

static void end(Map *m, int status) {
        m->is_done = true;
        m->status = status;
}

/* ---- results ---- */

static void flush(Map *m) {
        if (m->out.length == 0)
                return;
        map_progress_clear(&m->progress, false);
        int status = m->ctl->is_quiet ? CTL_DONE : ctl_put_text(&m->out, CTL_DONE);
        text_clear(&m->out);
        if (status != CTL_DONE)
                end(m, status);
}

/* What a worker wrote is passed on as it is, but for what a terminal could obey. */
static void put_text(Map *m, const char *result, size_t n) {
        _cleanup_text_ Text plain = {};

        if (!memchr(result, 0x7f, n) && !memchr(result, 0xc2, n)) {
                text_append_n(&m->out, result, n);
                return;
        }
        text_append_n(&plain, result, n);
        if (text_check(&plain) >= 0)
                json_append_harmless(&m->out, plain.data);
        else
                m->out.failed = true;
}

static void put_result(Map *m, size_t index, const char *result, size_t n, const json_t *error) {
        m->n_results++;
        m->progress.n_done++;
        m->progress.n_failed += error != NULL;
        if (!m->is_bare || error) {
                text_append(&m->out, "{\"index\":");
                text_append_u64(&m->out, index);
                text_append(&m->out, error ? ",\"error\":" : ",\"result\":");
        }
        if (error) {
                json_append_exact(&m->out, error);
                text_truncate(&m->out, m->out.length - 1); /* its newline */
        } else
                put_text(m, result, n);
        text_append(&m->out, !m->is_bare || error ? "}\n" : "\n");
}

static const json_t *error_at(const json_t *errors, size_t place) {
        char key[24];

        if (!errors)
                return NULL;
        snprintf(key, sizeof(key), "%zu", place);
        return json_object_get(errors, key);
}

static void on_results(size_t first, const char *array, size_t length, const json_t *errors, void *userdata) {
        ssize_t n = slice_array(array, length, NULL, SIZE_MAX, NULL, NULL);
        _cleanup_free_ uint32_t *ends = n > 0 ? NEW0_ARRAY(uint32_t, (size_t) n) : NULL;
        Map *m = userdata;
        size_t begin = 0;

        if (m->is_done || n <= 0)
                return;
        if (!ends || slice_array(array, length, ends, (size_t) n, &begin, NULL) != n) {
                ctl_say("out of memory");
                end(m, CTL_FAILED);
                return;
        }
        for (size_t i = 0; i < (size_t) n && !m->is_done; i++) {
                put_result(m, first + i, array + begin, ends[i] - begin, error_at(errors, i));
                for (begin = ends[i] + 1; i + 1 < (size_t) n && (array[begin] == ' ' || array[begin] == ','); begin++)
                        ;
                if (text_check(&m->out) < 0 || m->out.length > OUT_FLUSH)
                        flush(m);
        }
}

static void on_end(json_t *result, const CallError *error, void *userdata) {
        Map *m = userdata;

        m->call = NULL;
        if (m->is_done)
                return;
        flush(m);
        map_progress_clear(&m->progress, true);
        if (error && call_error_is(error, "disconnected")) {
                ctl_say("the daemon went away after %zu results; the rest is not done, or its results are lost", m->n_results);
                end(m, CTL_NO_DAEMON);
        } else if (error)
                end(m, ctl_fail(m->ctl, error));
        else if (!m->is_done)
                end(m, member_number(result, "failed", 0) > 0 ? CTL_FAILED : CTL_DONE);
}

/* ---- items ---- */

static void on_items(_unused_ json_t *result, const CallError *error, void *userdata) {
        Map *m = userdata;

        m->n_unanswered--;
        if (!error || m->is_done || !m->call || call_error_is(error, "disconnected") || call_error_is(error, "not-found"))
                return; /* what ended the map is told by its own answer */
        flush(m);
        map_progress_clear(&m->progress, true);
        end(m, ctl_fail(m->ctl, error));
}

static int send_items(Map *m, json_t *items_consume, bool has_more) {
        _cleanup_json_ json_t *items = items_consume ? items_consume : json_array(),
                              *params = json_pack("{s:I,s:O,s:b}", "call", (json_int_t) session_call_id(m->call), "items", items, "more", has_more);

        if (!params)
                return -ENOMEM;
        m->n_sent += json_array_size(items);
        m->n_unanswered++;
        m->is_told = !has_more;
        if (m->is_told)
                m->progress.n_total = m->n_sent;
        return session_call_async(m->ctl->session, "task.items", params, on_items, m);
}

static void feed(Map *m) {
        while (!m->is_done && m->call && !m->is_told && m->n_unanswered < UNANSWERED_MAX) {
                json_t *items = map_items_take(&m->items);
                bool is_last = map_items_is_empty(&m->items);
                if (!items && !is_last)
                        return;
                if (send_items(m, items, !is_last) == -ENOMEM) /* anything else is seen by the poll */
                        end(m, CTL_FAILED);
        }
}

/* ---- the loop ---- */

static void check_end(Map *m, const struct pollfd *interrupt, const struct pollfd *out, usec_t deadline) {
        bool is_late = clock_now() >= deadline;

        if (m->is_done)
                return;
        if (out->revents & POLLERR) { /* as if the signal had come */
                end(m, 128 + SIGPIPE);
                return;
        }
        if (!(interrupt->revents & POLLIN) && !is_late)
                return;
        map_progress_clear(&m->progress, true);
        ctl_say("%s after %zu results; what no worker has begun is not done", is_late ? "stopped: the time is over," : "interrupted", m->n_results);
        end(m, is_late ? CTL_TIMED_OUT : CTL_INTERRUPTED);
}

static void turn(Map *m, usec_t deadline) {
        bool wants = !m->is_told && map_items_wants(&m->items);
        struct pollfd extra[] = {
                {.fd = interrupt_open(), .events = POLLIN},
                {.fd = STDOUT_FILENO, .events = 0}, /* POLLERR: its reader has gone */
                {.fd = wants ? m->items.fd : -1, .events = POLLIN},
        };
        int r = session_poll(m->ctl->session, extra, ARRAY_SIZE(extra), MIN(deadline, m->progress.next));

        if (r < 0 && !m->is_done)
                end(m, CTL_NO_DAEMON);
        flush(m);
        if (extra[2].revents && !m->is_done)
                map_items_receive(&m->items);
        check_end(m, &extra[0], &extra[1], deadline);
        if (!m->is_done)
                map_progress_turn(&m->progress);
}

static json_t *make_params(Map *m, int *ret_status) {
        const CliArgs *a = &m->ctl->args;
        _cleanup_json_ json_t *params = task_params_make(m->ctl, ret_status);
        bool is_fine = params != NULL;

        if (params && json_object_get(params, "args")) {
                *ret_status = ctl_usage(m->ctl, "the item is the one argument by position; words behind the target are KEY=VALUE");
                return NULL;
        }
        if (cli_given(a, OPT_COUNT)) {
                m->is_told = true;
                m->progress.n_total = (size_t) a->number[OPT_COUNT];
                is_fine = is_fine && json_object_set_new(params, "count", json_integer((json_int_t) a->number[OPT_COUNT])) >= 0;
        } else
                is_fine = is_fine && json_object_set_new(params, "items", json_array()) >= 0 && json_object_set_new(params, "more", json_true()) >= 0;
        if (cli_given(a, OPT_CHUNK))
                is_fine = is_fine && json_object_set_new(params, "chunk", json_integer((json_int_t) a->number[OPT_CHUNK])) >= 0;
        if (cli_given(a, OPT_UNORDERED))
                is_fine = is_fine && json_object_set_new(params, "ordered", json_false()) >= 0;
        return is_fine ? TAKE_PTR(params) : NULL;
}

/* What went wrong with the input outweighs what went wrong with items. */
static int last_words(Map *m) {
        if (m->status != CTL_DONE && m->status != CTL_FAILED)
                return m->status;
        if (*m->items.fault) {
                ctl_say("%s", m->items.fault);
                return CTL_USAGE;
        }
        if (m->progress.n_failed)
                ctl_hint(m->ctl, "%zu of %zu failed", m->progress.n_failed, m->n_results);
        return m->status;
}

static void map_done(Map *m) {
        m->ctl->session = session_free(m->ctl->session); /* its last words still know m */
        map_items_done(&m->items);
        text_done(&m->out);
}

int cmd_map(Ctl *c) {
        const CliArgs *a = &c->args;
        _cleanup_(map_done) Map m = {.ctl = c, .items = {.fd = STDIN_FILENO, .is_raw = cli_given(a, OPT_RAW)}};
        usec_t deadline = c->has_timeout ? usec_add(clock_now(), c->timeout) : USEC_INFINITY;
        int status = CTL_FAILED;

        if (cli_given(a, OPT_COUNT) && cli_given(a, OPT_RAW))
                return ctl_usage(c, "--raw is about lines, and with --count none are read");
        m.is_bare = !cli_given(a, OPT_UNORDERED) && c->show != SHOW_JSON && c->show != SHOW_JSONL;
        map_progress_start(&m.progress, !c->is_quiet);
        _cleanup_json_ json_t *params = make_params(&m, &status);
        if (!params)
                return status;
        status = ctl_open(c);
        if (status != CTL_DONE)
                return status;
        if (session_map_start(c->session, params, on_results, on_end, &m, &m.call) < 0)
                return CTL_FAILED;
        while (!m.is_done) {
                feed(&m);
                if (!m.is_done)
                        turn(&m, deadline);
        }
        map_progress_clear(&m.progress, true);
        return last_words(&m);
}

/* task-words.c - the last lines of a worker that died, for the error of what died with it.
 *
 * The outcome is on record at once; whoever waits for it is told when the lines are there, TASK_WORDS_WAIT after the death at
 * the latest, for a child of a child may hold the output open. */
#include "task/task-internal.h"

#include "base/alloc.h"

#define TASK_WORDS_WAIT USEC_PER_SEC

/* One of both. */
struct TaskWords {
        uint64_t generation;
        usec_t until; /* CLOCK_MONOTONIC */
        Task *task;
        TaskMap *map;
        size_t first, n;
        char *error; /* of the map's items: an ERROR */
        TaskWords *prev, *next;
};

static bool may_have_words(const Channel *c, const ExitStatus *e) {
        return !e->is_failure_to_start && exit_status_exitcode(e) != 0 && c->generation > 0;
}

static TaskWords *words_new(const Channel *c, const ExitStatus *e) {
        TaskRoom *r = c->pool->room;
        TaskWords *w = may_have_words(c, e) ? NEW0(TaskWords) : NULL;

        if (!w)
                return NULL;
        w->generation = c->generation;
        w->until = usec_add(clock_now(), TASK_WORDS_WAIT);
        DL_APPEND(r->words, w);
        task_room_arm(r, w->until);
        return w;
}

static void words_free(TaskRoom *r, TaskWords *w) {
        DL_DELETE(r->words, w);
        free(w->error);
        free(w);
}

bool words_await_task(Task *t, const Channel *c, const ExitStatus *e) {
        TaskWords *w = words_new(c, e);

        if (w)
                w->task = t;
        return w;
}

bool words_await_items(TaskMap *m, size_t first, size_t n, const char *error, const Channel *c, const ExitStatus *e) {
        char *copy = alloc_strdup(error);
        TaskWords *w = copy ? words_new(c, e) : NULL;

        if (!w) {
                free(copy);
                return false;
        }
        w->map = m;
        w->first = first;
        w->n = n;
        w->error = copy;
        return true;
}

void words_forget(TaskRoom *r, const Task *t, const TaskMap *m) {
        TaskWords *w, *next;

        DL_FOREACH_SAFE(r->words, w, next)
                if ((t && w->task == t) || (m && w->map == m))
                        words_free(r, w);
}

/* An ERROR ends with the braces of its data and its own. NULL: no lines, or no memory for them. */
static char *with_lines(const char *error, const char *lines) {
        size_t n = error ? strlen(error) : 0;

        if (!lines || n < 2 || strcmp(error + n - 2, "}}") != 0)
                return NULL;
        return alloc_printf("%.*s,\"lines\":%s}}", (int) (n - 2), error, lines);
}

/* @w is freed. */
static void words_tell(TaskRoom *r, TaskWords *w, const char *lines) {
        Task *t = w->task;
        TaskMap *m = w->map;
        size_t first = w->first, n = w->n;
        _cleanup_free_ char *error = TAKE_PTR(w->error), *more = with_lines(t ? t->answer : error, lines);

        words_free(r, w);
        if (t)
                task_tell(t, TAKE_PTR(more));
        else
                map_failed(m, first, n, more ? more : error);
}

void words_come(TaskRoom *r, uint64_t generation, const char *lines) {
        TaskWords *w;

        do { /* from the front each time: telling may free others */
                DL_SEARCH_SCALAR(r->words, w, generation, generation);
                if (w)
                        words_tell(r, w, lines);
        } while (w);
}

usec_t words_check(TaskRoom *r, usec_t now) {
        while (r->words && r->words->until <= now)
                words_tell(r, r->words, NULL);
        return r->words ? r->words->until : USEC_INFINITY;
}

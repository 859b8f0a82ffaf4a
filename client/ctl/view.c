/* view.c - rows of pools and workers. The paragraphs of `describe` are in view-describe.c. */
#include "ctl/view.h"

#include "base/parse.h"
#include "ctl/ctl.h"
#include <stdio.h>

const TableColumn view_pool_columns[VIEW_POOL_COLUMNS] = {
        {"POOL"},           {"STATE"},      {"READY", true}, {"BUSY", true}, {"QUEUE", true},
        {"RESTARTS", true}, {"CPU%", true}, {"MEM", true},   {"AGE", true},  {"NOTE"},
};

const TableColumn view_worker_columns[VIEW_WORKER_COLUMNS] = {
        {"WORKER"},
        {"STATE"},
        {"PID", true},
        {"EXIT", true},
        {"RESTARTS", true},
        {"CPU%", true},
        {"MEM", true},
        {"AGE", true},
        {"TASKS", true, 1},
        {"STARTED", false, 1},
        {"LAST-EXIT", false, 1},
        {"NOTE"},
};

/* The Gregorian calendar by days since 1970-01-01; timegm(3) would read /etc/localtime. */
static int64_t days_from_civil(int64_t y, int m, int d) {
        y -= m <= 2;
        int64_t era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
        int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
        return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

usec_t view_time(const char *text) {
        int y, mo, d, h, mi, n = 0;
        double s;

        if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%lf%n", &y, &mo, &d, &h, &mi, &s, &n) < 6 ||
            !streq(text + n, "Z"))
                return 0;
        if (y < 1970 || mo < 1 || mo > 12 || d < 1 || d > 31 || h > 23 || mi > 59 || !(s >= 0 && s < 61))
                return 0;
        int64_t minutes = (days_from_civil(y, mo, d) * 24 + h) * 60 + mi;
        return (usec_t) minutes * USEC_PER_MINUTE + (usec_t) (s * (double) USEC_PER_SEC);
}

/* Seconds as a JSON number to a short span; whole seconds from one on. */
static char *span_of(char buf[static SPAN_TEXT_MAX], double seconds) {
        if (!(seconds >= 0) || seconds > 1e12)
                seconds = 0;
        if (seconds >= 1)
                return span_format(buf, (usec_t) seconds * USEC_PER_SEC);
        return span_format(buf, (usec_t) (seconds * 1e3) * USEC_PER_MSEC);
}

static bool is_member_number(const json_t *o, const char *key) {
        return json_is_number(json_object_get(o, key));
}

bool view_is_alive(const json_t *o) {
        const json_t *workers = json_object_get(o, "workers"), *w;
        size_t i;

        if (!json_is_array(workers))
                return member_bool(o, "alive");
        json_array_foreach(workers, i, w)
                if (member_bool(w, "alive"))
                        return true;
        return false;
}

bool view_is_ended_run(const json_t *pool) {
        const char *state = member_text(pool, "state", "");
        bool has_given_up = streq(state, "failed") && member_number(pool, "restarts", 0) > 0;

        return streq(member_text(pool, "origin", ""), "run") && !has_given_up &&
               (streq(state, "exited") || streq(state, "stopped") || streq(state, "failed"));
}

static void put_ago(Text *out, const json_t *last_exit, usec_t now) {
        char buf[SPAN_TEXT_MAX];
        usec_t at = view_time(member_text(last_exit, "at", ""));

        if (at && at <= now)
                text_appendf(out, " %s ago", span_format(buf, (now - at) / USEC_PER_SEC * USEC_PER_SEC));
}

/* The daemon's own sentence, if it has one, is better informed than what can be told from the rest. */
void view_note(Text *out, const json_t *w, usec_t now) {
        const char *note = member_text(w, "note", ""), *state = member_text(w, "state", "");
        const json_t *last_exit = json_object_get(w, "last_exit");
        const char *cause = member_text(last_exit, "cause", "");
        bool is_quiet = streq(state, "running") || streq(state, "stopped") || streq(state, "created");

        if (*note)
                text_append(out, note);
        else if (*member_text(w, "status_text", ""))
                text_append(out, member_text(w, "status_text", ""));
        else if (*cause && !is_quiet) {
                text_append(out, cause);
                put_ago(out, last_exit, now);
        }
}

/* A run process is its own only worker: the name stands in the first column already. */
static const char *without_name(const char *note, const char *name) {
        size_t n = strlen(name);

        return strncmp(note, name, n) == 0 && strncmp(note + n, ": ", 2) == 0 ? note + n + 2 : note;
}

/* The first worker's note speaks for the pool; how many others have one too is added. */
static void pool_note(Text *out, const json_t *pool, usec_t now) {
        const json_t *w;
        size_t i, n_more = 0;

        if (*member_text(pool, "note", "")) {
                text_append(out, without_name(member_text(pool, "note", ""), member_text(pool, "name", "")));
                return;
        }
        json_array_foreach(json_object_get(pool, "workers"), i, w) {
                _cleanup_text_ Text note = {};
                if (streq(member_text(w, "state", ""), "running"))
                        continue;
                view_note(&note, w, now);
                if (!note.length)
                        continue;
                if (out->length)
                        n_more++;
                else
                        text_appendf(out, "%s: %s", member_text(w, "name", "?"), note.data);
        }
        if (n_more)
                text_appendf(out, " (and %zu more)", n_more);
}

typedef struct Sums {
        double cpu_percent, memory, age;
        bool has_cpu, has_memory, has_age;
} Sums;

static void sums_add(Sums *s, const json_t *w) {
        double uptime = member_number(w, "uptime", -1);

        if (!member_bool(w, "alive"))
                return;
        if (uptime >= 0) {
                s->age = MAX(s->age, uptime);
                s->has_age = true;
        }
        if (is_member_number(w, "cpu_percent")) { /* of the last second: from a live view */
                s->cpu_percent += member_number(w, "cpu_percent", 0);
                s->has_cpu = true;
        } else if (uptime > 0 && is_member_number(w, "cpu")) {
                s->cpu_percent += 100 * member_number(w, "cpu", 0) / uptime;
                s->has_cpu = true;
        }
        if (is_member_number(w, "memory")) {
                s->memory += member_number(w, "memory", 0);
                s->has_memory = true;
        }
}

static void put_sums(Table *t, const Sums *s) {
        char buf[SPAN_TEXT_MAX], size[16];

        if (s->has_cpu)
                table_cellf(t, TINT_NONE, s->cpu_percent > 0.05 && s->cpu_percent < 9.95 ? "%.1f" : "%.0f",
                            s->cpu_percent);
        else
                table_cell(t, TINT_NONE, "-");
        bool is_sane = s->has_memory && s->memory >= 0 && s->memory < 1e18;
        table_cell(t, TINT_NONE, is_sane ? size_format(size, (uint64_t) s->memory) : "-");
        table_cell(t, TINT_NONE, s->has_age ? span_of(buf, s->age) : "-");
}

static void put_count(Table *t, const json_t *o, const char *key) {
        if (is_member_number(o, key))
                table_cellf(t, TINT_NONE, "%.0f", member_number(o, key, 0));
        else
                table_cell(t, TINT_NONE, "-");
}

/* Zeros in a pool that never saw a task would only be noise. */
static bool takes_tasks(const json_t *pool) {
        const json_t *w;
        size_t i;

        json_array_foreach(json_object_get(pool, "workers"), i, w)
                if (member_number(w, "tasks_done", 0) > 0)
                        return true;
        return member_number(pool, "busy", 0) > 0 || member_number(pool, "queued", 0) > 0;
}

void view_pool_row(Table *t, const json_t *pool, usec_t now) {
        const json_t *workers = json_object_get(pool, "workers"), *w;
        const char *state = member_text(pool, "state", "?");
        _cleanup_text_ Text note = {};
        Sums sums = {};
        size_t i;

        json_array_foreach(workers, i, w)
                sums_add(&sums, w);
        table_cell(t, TINT_NONE, member_text(pool, "name", "?"));
        table_cell(t, tint_of_state(state), state);
        table_cellf(t, TINT_NONE, "%.0f/%.0f", member_number(pool, "ready", 0),
                    member_number(pool, "wanted", (double) json_array_size(workers)));
        bool has_tasks = takes_tasks(pool);
        put_count(t, has_tasks ? pool : NULL, "busy");
        put_count(t, has_tasks ? pool : NULL, "queued");
        put_count(t, pool, "restarts");
        put_sums(t, &sums);
        pool_note(&note, pool, now);
        table_cell(t, TINT_NONE, note.data);
}

void view_worker_row(Table *t, const json_t *w, usec_t now) {
        const char *state = member_text(w, "state", "?");
        const json_t *last_exit = json_object_get(w, "last_exit");
        _cleanup_text_ Text note = {};
        Sums sums = {};

        sums_add(&sums, w);
        table_cell(t, TINT_NONE, member_text(w, "name", "?"));
        table_cell(t, tint_of_state(state), state);
        put_count(t, w, "pid");
        put_count(t, w, "exitcode");
        put_count(t, w, "restarts");
        put_sums(t, &sums);
        put_count(t, w, "tasks_done");
        table_cell(t, TINT_NONE, member_text(w, "started_at", "-"));
        table_cell(t, TINT_NONE, member_text(last_exit, "cause", "-"));
        view_note(&note, w, now);
        table_cell(t, TINT_NONE, note.data);
}

/* task-view.c - see task-view.h. */
#include "ctl/task-view.h"

#include "ctl/output.h"
#include "ctl/view.h"
#include <unistd.h>

const TableColumn task_columns[TASK_COLUMNS] = {
        {"TASK"}, {"STATE"},          {"AGE", true},      {"TARGET"},      {"WORKER"}, {"DEATHS", true},
        {"UID", true, 1}, {"PRIORITY", true, 1}, {"TOOK", true, 1}, {"NOTE"},
};

static Tint tint_of_task(const char *state) {
        return streq(state, "done")                                ? TINT_GOOD
               : streq(state, "running")                           ? TINT_MOVING
               : streq(state, "failed") || streq(state, "timeout") ? TINT_BAD
               : streq(state, "cancelled")                         ? TINT_DIM
                                                                   : TINT_NONE;
}

static void put_age(Table *t, usec_t from, usec_t to) {
        char span[SPAN_TEXT_MAX];

        table_cell(t, TINT_NONE, from ? span_format(span, usec_sub(to, from)) : "-");
}

static void put_number(Table *t, const json_t *task, const char *key) {
        if (json_is_number(json_object_get(task, key)))
                table_cellf(t, TINT_NONE, "%.0f", member_number(task, key, 0));
        else
                table_cell(t, TINT_NONE, "-");
}

/* The first line of the error, or the result. */
static void put_note(Table *t, const json_t *task) {
        const json_t *error = json_object_get(task, "error"), *result = json_object_get(task, "result");
        _cleanup_text_ Text note = {};

        if (error)
                text_append(&note, member_text(error, "message", ""));
        else if (json_is_string(result))
                text_append(&note, json_string_value(result));
        else if (result && !json_is_null(result)) {
                json_append_exact(&note, result);
                text_truncate(&note, note.length - 1);
        }
        table_cell(t, TINT_NONE, note.data ? note.data : "");
}

/* "2/3": two of three workers that may die with it have. */
static void put_deaths(Table *t, const json_t *task) {
        double n = member_number(task, "deaths", 0), max = member_number(task, "attempts", 1);

        if (n <= 0 && max <= 1)
                table_cell(t, TINT_NONE, "-");
        else
                table_cellf(t, n > 0 ? TINT_BAD : TINT_NONE, "%.0f/%.0f", n, max);
}

void task_row(Table *t, const json_t *task, usec_t now) {
        const char *state = member_text(task, "state", "?"), *worker = member_text(task, "worker", "");
        usec_t submitted = view_time(member_text(task, "submitted_at", "")), ended = view_time(member_text(task, "ended_at", ""));

        table_cell(t, TINT_NONE, member_text(task, "task", "?"));
        table_cell(t, tint_of_task(state), state);
        put_age(t, submitted, now);
        table_cell(t, TINT_NONE, member_text(task, "target", "-"));
        table_cell(t, TINT_NONE, *worker ? worker : "-");
        put_deaths(t, task);
        put_number(t, task, "uid");
        put_number(t, task, "priority");
        put_age(t, ended ? submitted : 0, ended);
        put_note(t, task);
}

int task_exit_status(const json_t *outcome) {
        const char *state = member_text(outcome, "state", "");

        return streq(state, "done") ? CTL_DONE : streq(state, "timeout") ? CTL_TIMED_OUT : CTL_FAILED;
}

void task_put_line(const Ctl *c, Text *out, const json_t *task) {
        if (c->show != SHOW_NAME) {
                json_append_exact(out, task);
                return;
        }
        escape_append(out, member_text(task, "task", "?"));
        text_append_char(out, '\n');
}

/* Lines of somebody else's: escaped one by one. */
static void put_lines(Text *out, const char *indent, const char *s) {
        for (size_t n; *s; s += n + (s[n] == '\n')) {
                n = strcspn(s, "\n");
                text_append(out, indent);
                escape_line(out, s, n);
                text_append_char(out, '\n');
        }
}

/* As a process that ends by an exception says it; a dead worker's last lines before. */
static void put_error(Text *err, const json_t *outcome) {
        const json_t *error = json_object_get(outcome, "error"), *data = json_object_get(error, "data"), *line;
        const char *traceback = member_text(data, "traceback", "");
        size_t i;

        json_array_foreach(json_object_get(data, "lines"), i, line)
                put_lines(err, "  | ", json_string_value(line) ? json_string_value(line) : member_text(line, "line", ""));
        if (*traceback) {
                text_append(err, "Traceback (innermost first):\n");
                put_lines(err, "", traceback);
                escape_append(err, member_text(error, "message", "?"));
        } else {
                text_append(err, "droverctl: ");
                escape_append(err, member_text(outcome, "task", "the task"));
                text_append(err, ": ");
                escape_append(err, member_text(error, "message", member_text(outcome, "state", "?")));
        }
        text_append_char(err, '\n');
}

int task_show_outcome(const Ctl *c, const json_t *outcome) {
        const json_t *result = json_object_get(outcome, "result");
        _cleanup_text_ Text out = {}, err = {};
        int status = task_exit_status(outcome);

        if (c->show == SHOW_JSON || c->show == SHOW_JSONL || c->show == SHOW_NAME)
                task_put_line(c, &out, outcome);
        else if (status != CTL_DONE)
                put_error(&err, outcome);
        else if (json_is_string(result)) { /* whose it is to make harmless, as with `logs` */
                c->is_terminal ? escape_line(&out, json_string_value(result), json_string_length(result))
                               : text_append_n(&out, json_string_value(result), json_string_length(result));
                text_append_char(&out, '\n');
        } else if (result)
                json_append_exact(&out, result);
        if (err.length)
                (void) output_write(STDERR_FILENO, &err);
        return c->is_quiet ? status : ctl_put_text(&out, status);
}

/* Outcomes have no more than this. */
static const TableColumn outcome_columns[] = {{"TASK", false, 0}, {"STATE", false, 0}, {"NOTE", false, 0}};

static void put_table(const Ctl *c, Text *out, const json_t *tasks) {
        _cleanup_table_ Table t = {};
        const json_t *task;
        size_t i;

        table_init(&t, outcome_columns, ARRAY_SIZE(outcome_columns));
        json_array_foreach(tasks, i, task) {
                const char *state = member_text(task, "state", "?");
                table_cell(&t, TINT_NONE, member_text(task, "task", "?"));
                table_cell(&t, tint_of_task(state), state);
                put_note(&t, task);
        }
        if (t.n_cells)
                table_print(&t, out, c->width, c->show == SHOW_WIDE, c->use_color);
}

int task_show_outcomes(const Ctl *c, const json_t *tasks) {
        _cleanup_text_ Text out = {};
        int status = CTL_DONE;
        const json_t *task;
        size_t i;

        json_array_foreach(tasks, i, task) {
                int one = task_exit_status(task);
                status = status == CTL_FAILED || one == CTL_DONE ? status : one;
                if (c->show == SHOW_JSONL || c->show == SHOW_NAME)
                        task_put_line(c, &out, task);
        }
        if (c->show == SHOW_TABLE || c->show == SHOW_WIDE)
                put_table(c, &out, tasks);
        else if (c->show == SHOW_JSON) {
                _cleanup_json_ json_t *o = json_pack("{s:O}", "tasks", tasks);
                o ? json_append_exact(&out, o) : (void) (out.failed = true);
        }
        return c->is_quiet ? status : ctl_put_text(&out, status);
}

/* top-view.c - the lines of `top`. */
#include "ctl/top-view.h"

#include "base/alloc.h"
#include "base/parse.h"
#include "ctl/ctl.h"
#include "ctl/view.h"
#include <limits.h>
#include <stdio.h>

#define TITLE_LINES 1u /* of the table */
#define FOOT_LINES 1u

static const char keys_line[] = "s stop  S start  r restart  R reload  p pause  f log  / filter  c m n sort  ? help  q quit";

static const char help_text[] =
        "droverctl top\n"
        "\n"
        "  up down j k       choose a worker       s   stop it\n"
        "  PgUp PgDn         a page                S   start it\n"
        "  Home End g G      first, last           r   restart it\n"
        "  c m n             sort by CPU, memory,  R   reload its pool\n"
        "                    name                  p   pause or resume it\n"
        "  /                 filter by name,       f   follow its log\n"
        "                    state or note; Esc        (q, Esc or f: back)\n"
        "                    shows all again       q   quit\n"
        "\n"
        "CPU% is of the last second. Any key: back.\n";

void top_view_done(TopView *v) {
        free(v->rows);
        *v = (TopView){};
}

static bool matches(const json_t *w, const char *filter) {
        static const char *const keys[] = {"name", "state", "note", "status_text"};

        for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
                if (strcasestr(member_text(w, keys[i], ""), filter))
                        return true;
        return false;
}

static int add_row(TopView *v, const json_t *w) {
        v->n_workers++;
        if (*v->filter && !matches(w, v->filter))
                return 0;
        if (alloc_grow(&v->rows, &v->capacity, v->n_rows + 1, sizeof(*v->rows)) < 0)
                return -ENOMEM;
        v->rows[v->n_rows] = (TopRow){.worker = w,
                                      .name = member_text(w, "name", "?"),
                                      .cpu = member_number(w, "cpu_percent", 0),
                                      .memory = member_number(w, "memory", 0),
                                      .index = v->n_rows};
        v->n_rows++;
        return 0;
}

static int compare_index(const TopRow *x, const TopRow *y) {
        return (x->index > y->index) - (x->index < y->index);
}

static int compare_cpu(const void *a, const void *b) {
        const TopRow *x = a, *y = b;
        return x->cpu != y->cpu ? (x->cpu < y->cpu ? 1 : -1) : compare_index(x, y);
}

static int compare_memory(const void *a, const void *b) {
        const TopRow *x = a, *y = b;
        return x->memory != y->memory ? (x->memory < y->memory ? 1 : -1) : compare_index(x, y);
}

/* The chosen one is where it stands now; when it is gone, whoever stands in its place is chosen. Somebody always is, by
 * name: a key must not hit whoever has just come to stand in that line. */
static void find_chosen(TopView *v) {
        for (size_t i = 0; i < v->n_rows; i++)
                if (streq(v->rows[i].name, v->selected)) {
                        v->chosen = i;
                        return;
                }
        v->chosen = v->n_rows ? MIN(v->chosen, v->n_rows - 1) : 0;
        top_view_move(v, 0);
}

int top_view_take(TopView *v, const json_t *status) {
        const json_t *p, *w;
        size_t i, k;

        v->n_rows = v->n_workers = 0;
        json_array_foreach(json_object_get(status, "pools"), i, p) {
                if (!v->with_ended && view_is_ended_run(p))
                        continue;
                json_array_foreach(json_object_get(p, "workers"), k, w)
                        if (add_row(v, w) < 0)
                                return -ENOMEM;
        }
        if (v->n_rows && v->sort != TOP_BY_NAME) /* by name is the daemon's order: web/2 before web/10 */
                qsort(v->rows, v->n_rows, sizeof(*v->rows), v->sort == TOP_BY_CPU ? compare_cpu : compare_memory);
        find_chosen(v);
        return 0;
}

void top_view_move(TopView *v, long by) {
        if (!v->n_rows)
                return;
        long at = (long) v->chosen + by, last = (long) v->n_rows - 1;
        v->chosen = (size_t) (at < 0 ? 0 : MIN(at, last));
        snprintf(v->selected, sizeof(v->selected), "%s", v->rows[v->chosen].name);
}

const json_t *top_view_chosen(const TopView *v) {
        return v->chosen < v->n_rows ? v->rows[v->chosen].worker : NULL;
}

/* Length of "ESC [ ... m" at @s; 0 when it is anything else. */
static size_t colour_length(const char *s, size_t n) {
        size_t i = 2;

        if (n < 3 || s[0] != '\033' || s[1] != '[')
                return 0;
        while (i < n && ((s[i] >= '0' && s[i] <= '9') || s[i] == ';'))
                i++;
        return i < n && s[i] == 'm' ? i + 1 : 0;
}

void top_line_cut(Text *out, const char *line, size_t n, size_t columns) {
        char one[8] = "";

        for (size_t i = 0; i < n;) {
                size_t length = colour_length(line + i, n - i);
                if (!length) {
                        length = utf8_sequence(line + i, n - i);
                        length = length ? length : 1;
                        memcpy(one, line + i, length);
                        one[length] = '\0';
                        size_t width = text_columns(one);
                        if (width > columns)
                                columns = 0; /* nothing more but colours */
                        else {
                                columns -= width;
                                text_append_n(out, line + i, length);
                        }
                } else
                        text_append_n(out, line + i, length);
                i += length;
        }
}

static void put_line(Text *out, const Text *line, unsigned columns) {
        top_line_cut(out, line->data ? line->data : "", line->length, columns);
        text_append_char(out, '\n');
}

typedef struct Totals {
        size_t n_pools, n_running, n_moving, n_bad, n_other;
        double cpu, memory;
} Totals;

static void count_worker(Totals *t, const json_t *w) {
        switch (tint_of_state(member_text(w, "state", ""))) {
        case TINT_GOOD:
                t->n_running++;
                break;
        case TINT_MOVING:
                t->n_moving++;
                break;
        case TINT_BAD:
                t->n_bad++;
                break;
        default:
                t->n_other++;
        }
        if (member_bool(w, "alive")) {
                t->cpu += member_number(w, "cpu_percent", 0);
                t->memory += MAX(member_number(w, "memory", 0), 0.0);
        }
}

static void put_totals(const TopView *v, Text *out, const json_t *status, unsigned columns) {
        const json_t *pools = json_object_get(status, "pools"), *p, *w;
        _cleanup_text_ Text line = {};
        Totals t = {};
        char size[16];
        size_t i, k;

        json_array_foreach(pools, i, p) {
                if (!v->with_ended && view_is_ended_run(p))
                        continue;
                t.n_pools++;
                json_array_foreach(json_object_get(p, "workers"), k, w)
                        count_worker(&t, w);
        }
        text_appendf(&line, "CPU %.1f%%  MEM %s  %zu pool%s  %zu running", t.cpu,
                     size_format(size, t.memory < 1e18 ? (uint64_t) t.memory : 0), t.n_pools, t.n_pools == 1 ? "" : "s", t.n_running);
        if (t.n_moving)
                text_appendf(&line, "  %s%zu changing%s", v->is_color ? tint_on(TINT_MOVING) : "", t.n_moving,
                             v->is_color ? tint_off(TINT_MOVING) : "");
        if (t.n_bad)
                text_appendf(&line, "  %s%zu failed%s", v->is_color ? tint_on(TINT_BAD) : "", t.n_bad,
                             v->is_color ? tint_off(TINT_BAD) : "");
        if (t.n_other)
                text_appendf(&line, "  %zu not running", t.n_other);
        if (v->is_away)
                text_append(&line, "  (the daemon is away)");
        put_line(out, &line, columns);
}

static void put_choices(const TopView *v, Text *out, size_t n_shown, unsigned columns) {
        static const char *const by[] = {"name", "CPU", "memory"};
        _cleanup_text_ Text line = {};

        text_appendf(&line, "by %s  %zu-%zu of %zu", by[v->sort], n_shown ? v->offset + 1 : 0, v->offset + n_shown,
                     v->n_rows);
        if (*v->filter) {
                text_append(&line, "  filter: ");
                escape_append(&line, v->filter);
                text_appendf(&line, " (%zu of %zu)", v->n_rows, v->n_workers);
        }
        put_line(out, &line, columns);
}

/* The chosen line is inverse from end to end; its colours may not switch that off. */
static void put_chosen(Text *out, const char *line, size_t n, unsigned columns) {
        _cleanup_text_ Text cut = {};

        top_line_cut(&cut, line, n, columns);
        text_append(out, "\033[7m");
        for (const char *p = cut.data ? cut.data : ""; *p;) {
                size_t length = colour_length(p, strlen(p));
                text_append_n(out, p, length ? 0 : 1);
                p += length ? length : 1;
        }
        text_append(out, "\033[0m\n");
}

/* The table is made of all rows, so that its columns stand still while it scrolls. */
static void put_table(const TopView *v, Text *out, size_t n_shown, unsigned columns, usec_t now) {
        _cleanup_table_ Table t = {};
        _cleanup_text_ Text all = {};
        const char *p;

        table_init(&t, view_worker_columns, VIEW_WORKER_COLUMNS);
        for (size_t i = 0; i < v->n_rows; i++)
                view_worker_row(&t, v->rows[i].worker, now);
        table_print(&t, &all, columns, false, v->is_color);
        if (text_check(&all) < 0) {
                out->failed = true;
                return;
        }
        p = all.data ? all.data : "";
        for (size_t row = 0; *p && row < v->offset + n_shown + TITLE_LINES; row++) {
                size_t n = strcspn(p, "\n");
                bool is_title = row == 0, is_before = row < v->offset + TITLE_LINES;
                if (!is_title && !is_before && row - TITLE_LINES == v->chosen)
                        put_chosen(out, p, n, columns);
                else if (is_title || !is_before) {
                        top_line_cut(out, p, n, columns);
                        text_append(out, v->is_color ? "\033[0m\n" : "\n");
                }
                p += n + (p[n] == '\n');
        }
}

static void put_foot(const TopView *v, Text *out, unsigned columns) {
        _cleanup_text_ Text line = {};

        if (v->is_typing) {
                text_append(&line, "filter: ");
                escape_append(&line, v->filter);
                text_append_char(&line, '_');
        } else if (*v->message)
                escape_append(&line, v->message);
        else
                text_append(&line, keys_line);
        put_line(out, &line, columns);
}

/* What is chosen is in sight. */
static void scroll(TopView *v, size_t n_shown) {
        if (v->chosen < v->offset)
                v->offset = v->chosen;
        if (n_shown && v->chosen >= v->offset + n_shown)
                v->offset = v->chosen - n_shown + 1;
        if (v->offset + n_shown > v->n_rows)
                v->offset = v->n_rows > n_shown ? v->n_rows - n_shown : 0;
}

void top_view_put(TopView *v, Text *out, const json_t *status, unsigned n_lines, unsigned columns, usec_t now) {
        unsigned room = n_lines; /* of a low screen the rows are the last to go */
        bool has_foot = room >= 3 || v->is_typing, has_title = room >= 2, has_head = room >= 8, has_totals = room >= 6;

        room -= MIN(room, (has_foot ? FOOT_LINES : 0) + (has_title ? TITLE_LINES : 0) + (has_head ? 1u : 0) +
                                  (has_totals ? 1u : 0));
        size_t n_shown = MIN(v->n_rows, (size_t) room);
        scroll(v, n_shown);
        if (has_totals)
                put_totals(v, out, status, columns);
        if (has_head)
                put_choices(v, out, n_shown, columns);
        _cleanup_text_ Text table = {};
        put_table(v, &table, n_shown, columns, now);
        const char *p = table.data ? table.data : "";
        text_append(out, has_title ? p : p + strcspn(p, "\n") + (*p != '\0'));
        for (size_t i = n_shown; has_foot && i < room; i++)
                text_append_char(out, '\n');
        if (has_foot)
                put_foot(v, out, columns);
}

void top_view_print(TopView *v, Text *out, const json_t *status, unsigned columns, usec_t now) {
        _cleanup_table_ Table t = {};

        put_totals(v, out, status, columns ? columns : UINT_MAX);
        table_init(&t, view_worker_columns, VIEW_WORKER_COLUMNS);
        for (size_t i = 0; i < v->n_rows; i++)
                view_worker_row(&t, v->rows[i].worker, now);
        table_print(&t, out, columns, false, v->is_color);
}

void top_view_help(Text *out, unsigned n_lines, unsigned columns) {
        const char *p = help_text;

        for (unsigned i = 0; *p && i < n_lines; i++) {
                size_t n = strcspn(p, "\n");
                top_line_cut(out, p, n, columns);
                text_append_char(out, '\n');
                p += n + (p[n] == '\n');
        }
}

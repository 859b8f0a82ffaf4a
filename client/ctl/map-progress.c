/* map-progress.c - see map-progress.h. */
#include "ctl/map-progress.h"

#include "ctl/output.h"
#include "ctl/progress.h"
#include <sys/ioctl.h>
#include <unistd.h>

#define PERIOD (200 * USEC_PER_MSEC)
#define BAR_MAX 40u
#define BAR_MIN 8u

void map_progress_start(MapProgress *p, bool is_wanted) {
        *p = (MapProgress){.is_on = is_wanted && isatty(STDERR_FILENO), .began = clock_now(), .next = USEC_INFINITY, .n_total = SIZE_MAX};
        p->shares_terminal = p->is_on && isatty(STDOUT_FILENO);
        if (p->is_on)
                p->next = usec_add(p->began, PROGRESS_PATIENCE);
}

static void put_left(Text *t, const MapProgress *p, usec_t elapsed) {
        char span[SPAN_TEXT_MAX];
        usec_t left = p->n_done ? usec_mul(elapsed, (double) (p->n_total - p->n_done) / (double) p->n_done) : USEC_INFINITY;

        if (left != USEC_INFINITY && p->n_total > p->n_done)
                text_appendf(t, "  %s left", span_format(span, MAX(left, USEC_PER_SEC) / USEC_PER_SEC * USEC_PER_SEC));
}

void map_progress_put(Text *out, const MapProgress *p, usec_t elapsed, size_t columns) {
        double seconds = (double) MAX(elapsed, (usec_t) 1) / (double) USEC_PER_SEC;
        bool is_known = p->n_total != SIZE_MAX && p->n_total > 0;
        _cleanup_text_ Text tail = {};
        char span[SPAN_TEXT_MAX];

        if (is_known)
                text_appendf(&tail, "  %zu/%zu  %.0f/s", p->n_done, p->n_total, (double) p->n_done / seconds);
        else
                text_appendf(&tail, "%zu done  %.0f/s  %s", p->n_done, (double) p->n_done / seconds,
                             span_format(span, elapsed / USEC_PER_SEC * USEC_PER_SEC));
        if (is_known)
                put_left(&tail, p, elapsed);
        if (p->n_failed)
                text_appendf(&tail, "  %zu failed", p->n_failed);
        size_t used = tail.length + 7; /* "100% []" */
        size_t bar = is_known && columns > used ? MIN((size_t) BAR_MAX, columns - used) : 0;
        if (is_known)
                text_appendf(out, "%3.0f%%%s", 100.0 * (double) p->n_done / (double) p->n_total, bar >= BAR_MIN ? " [" : "");
        for (size_t i = 0; bar >= BAR_MIN && i < bar; i++)
                text_append_char(out, i < bar * p->n_done / p->n_total ? '#' : '-');
        text_append(out, bar >= BAR_MIN ? "]" : "");
        text_append_n(out, tail.data, tail.length);
        if (out->length > columns)
                text_truncate(out, columns);
}

static void put_line(MapProgress *p, const Text *line) {
        _cleanup_text_ Text out = {};

        text_append(&out, "\r\033[K");
        text_append_n(&out, line->data ? line->data : "", line->length);
        (void) output_write(STDERR_FILENO, &out);
        p->is_shown = line->length > 0;
}

void map_progress_turn(MapProgress *p) {
        usec_t now = clock_now();
        struct winsize w = {};
        _cleanup_text_ Text line = {};

        if (now < p->next)
                return;
        p->next = usec_add(now, PERIOD);
        size_t columns = ioctl(STDERR_FILENO, TIOCGWINSZ, &w) >= 0 && w.ws_col ? w.ws_col : 80;
        map_progress_put(&line, p, now - p->began, columns - 1);
        put_line(p, &line);
}

void map_progress_clear(MapProgress *p, bool is_end) {
        if (p->is_shown && (is_end || p->shares_terminal))
                put_line(p, &(Text){});
        if (is_end)
                p->next = USEC_INFINITY;
}

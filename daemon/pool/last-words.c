/* last-words.c - reads the end of a worker's log. See last-words.h. */
#include "pool/last-words.h"

#include "base/alloc.h"
#include "base/json.h"
#include "priority.h"

#define INDEX_GRAIN (10 * USEC_PER_MSEC) /* the log's own times are that coarse: a line may seem that much older */

struct LastWords {
        LoggerLink *logger;
        LogSpec spec;
        usec_t since;
        uint32_t stream;
        LogRead *read;
        sd_event_source *timer;
        last_words_done done;
        void *userdata;
        Text lines; /* "a","b" */
        unsigned n;
};

bool last_words_afford(LastWordsBudget *b, usec_t now) {
        usec_t passed = b->refilled == 0 ? USEC_INFINITY : usec_sub(now, b->refilled);
        usec_t more = passed / LAST_WORDS_REFILL;

        if (more > 0) {
                b->n = more >= LAST_WORDS_BURST - b->n ? LAST_WORDS_BURST : b->n + (unsigned) more;
                b->refilled = now;
        }
        if (b->n == 0)
                return false;
        b->n--;
        return true;
}

static void finish(LastWords *l) {
        _cleanup_text_ Text t = {0};

        text_append_char(&t, '[');
        text_append(&t, l->lines.data ? l->lines.data : "");
        text_append_char(&t, ']');
        l->read = logger_read_free(l->read);
        l->timer = sd_event_source_disable_unref(l->timer);
        l->done(l, l->n > 0 && text_check(&t) >= 0 ? t.data : NULL, l->userdata);
}

static bool on_line(LogRead *r, const LoggerLine *line, const char *text, void *userdata) {
        LastWords *l = userdata;
        char cut[LAST_WORDS_LINE_MAX + 4];
        size_t n = MIN((size_t) line->n_bytes, (size_t) LAST_WORDS_LINE_MAX);

        if (line->time_usec > 0 && usec_add(line->time_usec, INDEX_GRAIN) < l->since)
                return true; /* of the process before it */
        while (n < line->n_bytes && n > 0 && ((unsigned char) text[n] & 0xc0) == 0x80)
                n--; /* not within a character */
        memcpy(cut, text, n);
        memcpy(cut + n, n < line->n_bytes ? "..." : "", n < line->n_bytes ? 4 : 1);
        if (l->n++ > 0)
                text_append_char(&l->lines, ',');
        json_put_string(&l->lines, NULL, cut);
        return true;
}

static void on_dropped(LogRead *r, uint64_t n_lines, void *userdata) {
}

static int ask(LastWords *l, uint32_t stream);

static void on_end(LogRead *r, int error, const char *text, void *userdata) {
        LastWords *l = userdata;

        l->read = logger_read_free(r);
        if (l->n == 0 && l->stream == LOG_STREAM_STDERR && ask(l, LOG_STREAM_STDOUT) >= 0)
                return;
        finish(l);
}

static int ask(LastWords *l, uint32_t stream) {
        static const LogReadHooks hooks = {.on_line = on_line, .on_dropped = on_dropped, .on_end = on_end};

        LogReadAsk wanted = {.streams = stream, .n_lines = LAST_WORDS_LINES};

        l->stream = stream;
        return logger_read_new(&l->read, l->logger, &l->spec, &wanted, &hooks, l);
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata) {
        finish(userdata);
        return 0;
}

int last_words_ask(LastWords **ret, LoggerLink *logger, sd_event *event, const LogSpec *spec, usec_t since,
                   last_words_done done, void *userdata) {
        LastWords *l;
        int r;

        if (!logger || spec->kind != LOG_KIND_FILE)
                return -EOPNOTSUPP;
        l = NEW0(LastWords);
        if (!l)
                return -ENOMEM;
        *l = (LastWords){.logger = logger, .spec = *spec, .since = since, .done = done, .userdata = userdata};
        r = sd_event_add_time_relative(event, &l->timer, CLOCK_MONOTONIC, LAST_WORDS_WAIT, USEC_PER_MSEC, on_timeout, l);
        if (r >= 0)
                r = sd_event_source_set_priority(l->timer, PRIORITY_DEADLINE);
        if (r >= 0)
                r = ask(l, LOG_STREAM_STDERR);
        if (r < 0) {
                last_words_free(l);
                return r;
        }
        *ret = l;
        return 0;
}

LastWords *last_words_free(LastWords *l) {
        if (!l)
                return NULL;
        logger_read_free(l->read);
        sd_event_source_disable_unref(l->timer);
        text_done(&l->lines);
        free(l);
        return NULL;
}

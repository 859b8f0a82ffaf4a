/* log-format.h - lines as they stand in a file that is not raw: with a time before them, or as JSON objects.
 *
 *   TEXT  2026-01-02T03:04:05.678901Z the line          a piece of a line that was cut ends in LOG_CUT_MARK
 *   JSON  {"time":"...","worker":"web/0","stream":"stdout","line":"..."}     and "is_continued":true for such a piece
 *
 * Pure. The same bytes, time and stream always give the same text: so a new logger can tell how much of a block the one
 * before it wrote (log-scratch.h). Lines longer than LOGGER_LINE_MAX are cut, never inside a character. What is no UTF-8
 * becomes U+FFFD in JSON and stays as it is in text. */
#ifndef DROVER_LOGGER_LOG_FORMAT_H
#define DROVER_LOGGER_LOG_FORMAT_H

#include "base/clock.h"
#include "base/text.h"
#include "link/logger-protocol.h"

#define LOG_CUT_MARK " [...]"
#define LOG_FORMAT_LINE_MAX (100u * 1024) /* of one formatted line: LOGGER_LINE_MAX bytes, all escaped, and the rest */
#define LOG_FORMAT_CHUNK_MAX (64u * 1024) /* formatted bytes written at once, or one line */

typedef struct LogStyle {
        const char *worker; /* borrowed */
        uint8_t format;     /* LogFormat */
        bool has_timestamps;
} LogStyle;

static inline bool log_style_is_raw(const LogStyle *s) {
        return s->format == LOG_FORMAT_TEXT && !s->has_timestamps;
}

/* How the lines of a file stand in it. */
typedef enum LogForm {
        LOG_FORM_RAW,
        LOG_FORM_TIMED,
        LOG_FORM_JSON,
} LogForm;

static inline LogForm log_style_form(const LogStyle *s) {
        return s->format == LOG_FORMAT_JSON ? LOG_FORM_JSON : s->has_timestamps ? LOG_FORM_TIMED : LOG_FORM_RAW;
}

/** log_form_guess() - from the first @n bytes of a file; at least LOG_FORM_GUESS_BYTES, unless it is shorter. A worker that
 * puts such a time before its own lines looks TIMED. */
#define LOG_FORM_GUESS_BYTES 64u
LogForm log_form_guess(const uint8_t *data, size_t n);

/* Lines to be formatted. */
typedef struct LogChunk {
        const uint8_t *data; /* ends with a newline */
        size_t n;
        bool is_cut; /* the last line is a piece: its newline is not the worker's */
        uint32_t stream;
        usec_t time;
} LogChunk;

/**
 * log_format() - lines from the front of @c, as many as fit into @max bytes, but one at least
 * Return: bytes of c->data taken > 0, their text appended to @out (which may have failed).
 */
size_t log_format(const LogStyle *s, const LogChunk *c, size_t max, Text *out);

/**
 * log_format_parse() - one line of a file (without newline) back into what the worker wrote
 * @out: replaced; ret->n_bytes of it
 * @ret_is_mine: false when the line tells of another worker
 * Return: true; false: it is not in this style, @out and *ret are of no use.
 */
bool log_format_parse(const LogStyle *s, const uint8_t *line, size_t n, Text *out, LoggerLine *ret, bool *ret_is_mine);

/** log_format_whole() - of @n bytes, those before a character that is not complete at the end. At least 1. */
size_t log_format_whole(const uint8_t *data, size_t n);

#endif

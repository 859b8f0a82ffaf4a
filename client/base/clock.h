/* clock.h - time in µs, saturating arithmetic, spans as text. */
#ifndef DROVER_BASE_CLOCK_H
#define DROVER_BASE_CLOCK_H

#include "base/macro.h"

typedef uint64_t usec_t;
#define USEC_PER_MSEC ((usec_t) 1000)
#define USEC_PER_SEC ((usec_t) 1000000)
#define USEC_PER_MINUTE (60 * USEC_PER_SEC)
#define USEC_PER_HOUR (60 * USEC_PER_MINUTE)
#define USEC_INFINITY UINT64_MAX

usec_t clock_now(void);      /* CLOCK_MONOTONIC */
usec_t clock_realtime(void); /* CLOCK_REALTIME */
usec_t usec_add(usec_t a, usec_t b); /* saturates at USEC_INFINITY */
usec_t usec_sub(usec_t a, usec_t b); /* not below 0; USEC_INFINITY stays */
/** usec_mul() - a times factor >= 0, saturating. */
usec_t usec_mul(usec_t a, double factor);

/** span_parse() - "500ms", "10s", "5m", "2h", "1d", "1h30m", "infinity", or plain seconds ("2.5"). -EINVAL, -ERANGE. */
int span_parse(const char *s, usec_t *ret);
#define SPAN_TEXT_MAX 32
/** span_format() - short for people: "3d2h", "6h12m", "40s", "1.5s", "20ms", "infinity". Returns @buf. */
char *span_format(char buf[static SPAN_TEXT_MAX], usec_t span);
#define TIME_TEXT_MAX 40
/** time_format() - RFC 3339 in UTC with ms, from CLOCK_REALTIME µs: 2026-01-02T03:04:05.678Z. Returns @buf. */
char *time_format(char buf[static TIME_TEXT_MAX], usec_t realtime);
char *time_format_usec(char buf[static TIME_TEXT_MAX], usec_t realtime); /* the same with µs */
/**
 * time_parse() - RFC 3339: 2026-01-02T03:04:05Z, with a fraction, with +02:00 instead of Z, with a space instead of T
 * Return: 0 and CLOCK_REALTIME µs; -EINVAL; -ERANGE before 1970.
 */
int time_parse(const char *s, usec_t *ret);

#endif

/* parse.h - numbers, sizes, booleans, signals, names; strict: the whole string or -EINVAL / -ERANGE. */
#ifndef DROVER_BASE_PARSE_H
#define DROVER_BASE_PARSE_H

#include "base/macro.h"

int parse_u64(const char *s, uint64_t *ret);
int parse_i64(const char *s, int64_t *ret);
/** parse_size() - bytes: "64M", "1G", "512K", "1T", "100" (powers of 1024), "infinity" as UINT64_MAX. */
int parse_size(const char *s, uint64_t *ret);
char *size_format(char buf[static 16], uint64_t bytes); /* "310M", "1.2G", "512" */
int parse_bool(const char *s, bool *ret); /* true yes on 1, false no off 0 */
/** parse_octal_mode() - "022", "0o022": 0..07777. */
int parse_octal_mode(const char *s, unsigned *ret);
/** signal_from_string() - "TERM", "SIGTERM", "15", "RTMIN+3": number 1..64 or -EINVAL. */
int signal_from_string(const char *s);
/** signal_to_string() - "SIGTERM", "SIGRTMIN+3"; for a number that is none, "signal N" in a static table. */
const char *signal_to_string(int sig);

#define NAME_LENGTH_MAX 63
/** name_is_valid() - [a-z0-9][a-z0-9_.-]*, at most NAME_LENGTH_MAX, no "..". */
bool name_is_valid(const char *s);
/** name_nearest() - the closest of @names (NULL-terminated) by edit distance, or NULL when none is close. */
const char *name_nearest(const char *word, const char *const *names);

#endif

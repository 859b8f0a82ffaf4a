/* log.h - diagnostics of the program itself: to the journal with fields when stderr is connected to it
 * ($JOURNAL_STREAM), else to stderr as "droverd: text". Not for workers' output.
 * Each call is one line; control characters in arguments are escaped. Never blocks for long, never fails. */
#ifndef DROVER_BASE_LOG_H
#define DROVER_BASE_LOG_H

#include "base/macro.h"
#include <syslog.h>

void log_open(const char *program);
void log_set_level(int level);               /* LOG_ERR .. LOG_DEBUG; default LOG_INFO */
int log_level_from_string(const char *s);    /* error warning notice info debug, or -EINVAL */
bool log_enabled(int level);
/* Fields may be NULL. Sends DROVER_POOL= and DROVER_WORKER= with the message. */
void log_fields(int level, const char *pool, const char *worker, const char *fmt, ...) _printf_(4, 5);

/* A field of a journal entry. */
typedef struct LogField {
        const char *name, *value; /* NAME in capitals; a value of NULL leaves it out; cut at 256 bytes */
} LogField;
/** log_record() - whatever the level is set to: a message with @fields (ending with .name == NULL) of its own. */
void log_record(int level, const LogField *fields, const char *fmt, ...) _printf_(3, 4);

#define log_at(level, ...) (log_enabled(level) ? log_fields((level), NULL, NULL, __VA_ARGS__) : (void) 0)
#define log_error(...) log_at(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_at(LOG_WARNING, __VA_ARGS__)
#define log_notice(...) log_at(LOG_NOTICE, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)

#endif

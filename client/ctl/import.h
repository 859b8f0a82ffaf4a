/* import.h - a drover configuration made from that of another supervisor.
 *
 * An Import gathers pools, comments and notes while a reader (import-supervisord.c, import-pm2.c) walks a file; then
 * import_put() writes it as a configuration file with comments. What has no equivalent becomes a note,
 * "FILE:LINE: key: what it is and what to do instead". Nothing is dropped without a note. Pure but for the files the
 * readers open. */
#ifndef DROVER_CTL_IMPORT_H
#define DROVER_CTL_IMPORT_H

#include "base/text.h"
#include <jansson.h>

typedef struct ImportPool {
        char *name; /* valid for drover, and no other pool's */
        json_t *keys;
        Text comments; /* a line each */
} ImportPool;

typedef struct Import Import;
struct Import {
        ImportPool *pools;
        size_t n_pools, capacity;
        json_t *top; /* keys of the file beside "pools" */
        Text comments, notes;
        size_t n_notes;
};

void import_init(Import *im);
void import_done(Import *im);
#define _cleanup_import_ _cleanup_(import_done)

/** import_note() - one line for the user; @line 0: of no line in particular. */
void import_note(Import *im, const char *file, unsigned line, const char *key, const char *fmt, ...) _printf_(5, 6);
/** import_pool() - a new pool named after @wanted; its index, or -ENOMEM. What had to be changed in the name is noted. */
int import_pool(Import *im, const char *wanted, const char *file, unsigned line);
/** import_comment() - a line above the pool. */
void import_comment(Import *im, int pool, const char *fmt, ...) _printf_(3, 4);
/** import_set() - "a.b" makes objects as needed; @value is consumed. */
void import_set(Import *im, int pool, const char *key, json_t *value_consume);
/** import_name() - a pool's name out of @wanted: lower case, what is not allowed as "-". The caller's. */
char *import_name(const char *wanted);
/** import_put() - the configuration file. */
void import_put(const Import *im, Text *out, const char *from);

/** import_split() - a command line as a POSIX shell splits it: an array of words; NULL when a quote does not end. */
json_t *import_split(const char *text);

/* The readers. Return: 0; -EBADMSG after a note when the file is not one of its kind; -errno when it cannot be read. */
int import_supervisord(Import *im, const char *path);
int import_pm2(Import *im, const char *path);

#endif

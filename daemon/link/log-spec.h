/* log-spec.h - where a worker's output goes, as the keeper keeps it and the logger obeys it. Fixed size. */
#ifndef DROVER_LINK_LOG_SPEC_H
#define DROVER_LINK_LOG_SPEC_H

#include <stdint.h>

typedef enum LogKind {
        LOG_KIND_NONE = 0,    /* /dev/null, no pipe */
        LOG_KIND_INHERIT = 1, /* the keeper's own stdout and stderr, no pipe */
        LOG_KIND_FILE = 2,    /* PATH.stdout.log and PATH.stderr.log: two files of this worker's own */
        LOG_KIND_SHARED = 3,  /* exactly PATH: both streams, perhaps of several workers, whole lines only */
        LOG_KIND_JOURNAL = 4, /* journal entries with DROVER_POOL, DROVER_WORKER */
} LogKind;

#define LOG_PATH_MAX 512
#define LOG_WORKER_MAX 80

typedef struct LogSpec {
        uint32_t kind;              /* LogKind */
        uint32_t max_files;         /* rotated files kept beside the current one; 0: none, the file starts anew */
        uint64_t max_size;          /* bytes; 0: no bound */
        char worker[LOG_WORKER_MAX];/* "web/0" */
        char path[LOG_PATH_MAX];    /* absolute; for FILE without ".stdout.log" */
} LogSpec;

#define LOG_STREAM_STDOUT 1u /* bits */
#define LOG_STREAM_STDERR 2u

#endif

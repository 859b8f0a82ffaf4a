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

typedef enum LogCompress { /* of rotated files */
        LOG_COMPRESS_NONE = 0,
        LOG_COMPRESS_GZIP = 1, /* NAME.log.N.gz */
        LOG_COMPRESS_ZSTD = 2, /* NAME.log.N.zst */
} LogCompress;

typedef enum LogFormat {
        LOG_FORMAT_TEXT = 0,
        LOG_FORMAT_JSON = 1, /* one object a line: {"time","worker","stream","line"}, "is_continued" for a piece of a line */
} LogFormat;

typedef enum LogOnFull { /* when the disk takes no more */
        LOG_ON_FULL_BLOCK = 0, /* the worker's output waits in its pipe */
        LOG_ON_FULL_DROP = 1,  /* it is read, counted and thrown away; a line in the file tells how much */
} LogOnFull;

typedef struct LogSpec {
        uint32_t kind;              /* LogKind */
        uint32_t max_files;         /* rotated files kept beside the current one; 0: none, the file starts anew */
        uint64_t max_size;          /* bytes; 0: no bound */
        uint64_t max_total;         /* bytes of all files of the pool (FILE), of all of this name (SHARED); 0: no bound */
        uint64_t rotate_usec;       /* a new file at each multiple of this since 1970 in UTC; 0: by size alone */
        uint16_t compress, format;  /* LogCompress, LogFormat */
        uint16_t has_timestamps;    /* 1: RFC 3339 with µs and a space before each line of a TEXT file */
        uint16_t on_full;           /* LogOnFull */
        char worker[LOG_WORKER_MAX];/* "web/0" */
        char path[LOG_PATH_MAX];    /* absolute; for FILE without ".stdout.log" */
} LogSpec;

#define LOG_STREAM_STDOUT 1u /* bits */
#define LOG_STREAM_STDERR 2u

#endif

/* log-pack.h - compressed files, written and read as streams: gzip by zlib, zstd by libzstd.
 *
 * No file is ever held whole: both sides need a buffer and what the library needs (below 1 MiB to write, at most 8 MiB
 * to read a foreign zstd file). Every file begins with the inode number its text had before it was compressed, where the
 * format has room for such things (gzip: an extra field "DV"; zstd: a skippable frame): so a reader knows it again and
 * the index beside it, which names that inode, stays true. The tools gzip and zstd read these files as any other. */
#ifndef DROVER_LOGGER_LOG_PACK_H
#define DROVER_LOGGER_LOG_PACK_H

#include "base/macro.h"
#include "link/log-spec.h"
#include <sys/types.h>

typedef struct LogPacker LogPacker;
typedef struct LogUnpacker LogUnpacker;

/** log_packer_new() - write to @fd (borrowed). -EINVAL for a method that is none, -ENOMEM, -errno of write(2). */
int log_packer_new(LogPacker **ret, LogCompress method, int fd, uint64_t origin_ino);
LogPacker *log_packer_free(LogPacker *p);
DEFINE_CLEANUP(LogPacker, log_packer_free);
int log_packer_write(LogPacker *p, const void *data, size_t n); /* 0, -errno, -EIO from the library */
int log_packer_finish(LogPacker *p);

/** log_unpacker_new() - read @fd (borrowed) from its start. *ret_origin: the inode it was; 0: not told. */
int log_unpacker_new(LogUnpacker **ret, LogCompress method, int fd, uint64_t *ret_origin);
LogUnpacker *log_unpacker_free(LogUnpacker *u);
DEFINE_CLEANUP(LogUnpacker, log_unpacker_free);
/** log_unpacker_read() - up to @n bytes; 0: the end; -EBADMSG: the file is damaged or cut short from here; -errno. */
ssize_t log_unpacker_read(LogUnpacker *u, void *data, size_t n);
uint64_t log_unpacker_position(const LogUnpacker *u); /* bytes handed out since the start */
int log_unpacker_rewind(LogUnpacker *u);

/** log_pack_origin() - the inode number kept in the compressed file @fd; 0: none. */
uint64_t log_pack_origin(int fd, LogCompress method);

#endif

/* log-pack.c - see log-pack.h. One vtable for each library. */
#include "logger/log-pack.h"
#include "base/alloc.h"
#include "base/file.h"
#include <endian.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define PACK_BUFFER_BYTES 32768u
#define PACK_ZSTD_LEVEL 3
#define PACK_ZSTD_WINDOW_LOG 23 /* 8 MiB: what a file that is not ours may make us allocate */
#define PACK_ZSTD_MAGIC 0x184d2a5du /* a skippable frame */
#define PACK_GZIP_WINDOW (15 + 16)  /* zlib: 32 KiB, with gzip's header */

/* In a gzip header's extra field, at byte 12 of the file. */
typedef struct GzipOrigin {
        uint8_t id[2];
        uint16_t n_le;
        uint8_t ino_le[8];
} GzipOrigin;

/* At the start of a zstd file. */
typedef struct ZstdOrigin {
        uint32_t magic_le, n_le;
        uint8_t id[4];
        uint8_t ino_le[8];
} ZstdOrigin;

struct LogPacker {
        const struct PackOps *ops;
        int fd;
        z_stream gzip;
        gz_header header;
        GzipOrigin origin;
        ZSTD_CStream *zstd;
        uint8_t buffer[PACK_BUFFER_BYTES];
};

struct LogUnpacker {
        const struct PackOps *ops;
        int fd;
        uint64_t file_offset, position;
        size_t begin, end; /* of what is in the buffer */
        bool is_over, is_frame_done;
        z_stream gzip;
        ZSTD_DStream *zstd;
        uint8_t buffer[PACK_BUFFER_BYTES];
};

typedef struct PackOps {
        int (*begin)(LogPacker *p, uint64_t origin_ino);
        int (*put)(LogPacker *p, const void *data, size_t n, bool is_last);
        void (*end)(LogPacker *p);
        int (*open)(LogUnpacker *u);
        int (*get)(LogUnpacker *u, void *data, size_t n, size_t *ret_n); /* from the buffer; -EBADMSG */
        void (*close)(LogUnpacker *u);
} PackOps;

/* ---- gzip ---- */

static int gzip_begin(LogPacker *p, uint64_t origin_ino) {
        uint64_t ino = htole64(origin_ino);
        if (deflateInit2(&p->gzip, Z_DEFAULT_COMPRESSION, Z_DEFLATED, PACK_GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK)
                return -ENOMEM;
        p->origin = (GzipOrigin){.id = {'D', 'V'}, .n_le = htole16(sizeof ino)};
        memcpy(p->origin.ino_le, &ino, sizeof ino);
        p->header = (gz_header){.os = 3, .extra = (Bytef *) &p->origin, .extra_len = sizeof p->origin};
        return deflateSetHeader(&p->gzip, &p->header) == Z_OK ? 0 : -EIO;
}

static int gzip_put(LogPacker *p, const void *data, size_t n, bool is_last) {
        int k;
        p->gzip.next_in = (Bytef *) (uintptr_t) data;
        p->gzip.avail_in = (uInt) n;
        do {
                p->gzip.next_out = p->buffer;
                p->gzip.avail_out = sizeof p->buffer;
                k = deflate(&p->gzip, is_last ? Z_FINISH : Z_NO_FLUSH);
                if (k == Z_STREAM_ERROR)
                        return -EIO;
                int r = write_all(p->fd, p->buffer, sizeof p->buffer - p->gzip.avail_out);
                if (r < 0)
                        return r;
        } while (p->gzip.avail_out == 0 || (is_last && k != Z_STREAM_END));
        return 0;
}

static void gzip_end(LogPacker *p) {
        (void) deflateEnd(&p->gzip);
}

static int gzip_open(LogUnpacker *u) {
        return inflateInit2(&u->gzip, PACK_GZIP_WINDOW) == Z_OK ? 0 : -ENOMEM;
}

static int gzip_get(LogUnpacker *u, void *data, size_t n, size_t *ret_n) {
        if (u->is_frame_done && inflateReset(&u->gzip) != Z_OK)
                return -EIO;
        u->is_frame_done = false;
        u->gzip.next_in = u->buffer + u->begin;
        u->gzip.avail_in = (uInt) (u->end - u->begin);
        u->gzip.next_out = data;
        u->gzip.avail_out = (uInt) n;
        int k = inflate(&u->gzip, Z_NO_FLUSH);
        u->begin = u->end - u->gzip.avail_in;
        *ret_n = n - u->gzip.avail_out;
        u->is_frame_done = k == Z_STREAM_END;
        if (k == Z_MEM_ERROR)
                return -ENOMEM;
        return k == Z_OK || k == Z_STREAM_END || k == Z_BUF_ERROR ? 0 : -EBADMSG;
}

static void gzip_close(LogUnpacker *u) {
        (void) inflateEnd(&u->gzip);
}

/* ---- zstd ---- */

static int zstd_begin(LogPacker *p, uint64_t origin_ino) {
        uint64_t ino = htole64(origin_ino);
        ZstdOrigin o = {.magic_le = htole32(PACK_ZSTD_MAGIC),
                        .n_le = htole32(sizeof o - 8),
                        .id = {'D', 'R', 'V', 'R'}};
        p->zstd = ZSTD_createCStream();
        if (!p->zstd)
                return -ENOMEM;
        if (ZSTD_isError(ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_compressionLevel, PACK_ZSTD_LEVEL)) ||
            ZSTD_isError(ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_checksumFlag, 1)))
                return -EIO;
        memcpy(o.ino_le, &ino, sizeof ino);
        return write_all(p->fd, &o, offsetof(ZstdOrigin, ino_le) + sizeof ino);
}

static int zstd_put(LogPacker *p, const void *data, size_t n, bool is_last) {
        ZSTD_inBuffer in = {data, n, 0};
        size_t left;
        do {
                ZSTD_outBuffer out = {p->buffer, sizeof p->buffer, 0};
                left = ZSTD_compressStream2(p->zstd, &out, &in, is_last ? ZSTD_e_end : ZSTD_e_continue);
                if (ZSTD_isError(left))
                        return -EIO;
                int r = write_all(p->fd, p->buffer, out.pos);
                if (r < 0)
                        return r;
        } while (in.pos < in.size || (is_last && left > 0));
        return 0;
}

static void zstd_end(LogPacker *p) {
        (void) ZSTD_freeCStream(p->zstd);
}

static int zstd_open(LogUnpacker *u) {
        u->zstd = ZSTD_createDStream();
        if (!u->zstd)
                return -ENOMEM;
        (void) ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax, PACK_ZSTD_WINDOW_LOG);
        return 0;
}

static int zstd_get(LogUnpacker *u, void *data, size_t n, size_t *ret_n) {
        ZSTD_inBuffer in = {u->buffer, u->end, u->begin};
        ZSTD_outBuffer out = {data, n, 0};
        size_t left = ZSTD_decompressStream(u->zstd, &out, &in);
        u->begin = in.pos;
        *ret_n = out.pos;
        u->is_frame_done = left == 0;
        return ZSTD_isError(left) ? -EBADMSG : 0;
}

static void zstd_close(LogUnpacker *u) {
        (void) ZSTD_freeDStream(u->zstd);
}

static const PackOps pack_ops[] = {
        [LOG_COMPRESS_GZIP] = {gzip_begin, gzip_put, gzip_end, gzip_open, gzip_get, gzip_close},
        [LOG_COMPRESS_ZSTD] = {zstd_begin, zstd_put, zstd_end, zstd_open, zstd_get, zstd_close},
};

static const PackOps *ops_of(LogCompress method) {
        return method > LOG_COMPRESS_NONE && method < ARRAY_SIZE(pack_ops) ? &pack_ops[method] : NULL;
}

/* ---- for both ---- */

int log_packer_new(LogPacker **ret, LogCompress method, int fd, uint64_t origin_ino) {
        const PackOps *ops = ops_of(method);
        if (!ops)
                return -EINVAL;
        _cleanup_(log_packer_freep) LogPacker *p = NEW0(LogPacker);
        if (!p)
                return -ENOMEM;
        p->ops = ops;
        p->fd = fd;
        int r = ops->begin(p, origin_ino);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(p);
        return 0;
}

LogPacker *log_packer_free(LogPacker *p) {
        if (!p)
                return NULL;
        p->ops->end(p);
        free(p);
        return NULL;
}

int log_packer_write(LogPacker *p, const void *data, size_t n) {
        return n == 0 ? 0 : p->ops->put(p, data, n, false);
}

int log_packer_finish(LogPacker *p) {
        return p->ops->put(p, NULL, 0, true);
}

uint64_t log_pack_origin(int fd, LogCompress method) {
        uint8_t head[12 + sizeof(GzipOrigin)];
        uint64_t ino = 0;
        if (pread(fd, head, sizeof head, 0) != sizeof head)
                return 0;
        if (method == LOG_COMPRESS_GZIP && head[0] == 0x1f && head[1] == 0x8b && (head[3] & 4) &&
            memcmp(head + 12, "DV\x08\0", 4) == 0)
                memcpy(&ino, head + 16, sizeof ino);
        else if (method == LOG_COMPRESS_ZSTD && memcmp(head, "\x5d\x2a\x4d\x18\x0c\0\0\0" "DRVR", 12) == 0)
                memcpy(&ino, head + 12, sizeof ino);
        return le64toh(ino);
}

int log_unpacker_new(LogUnpacker **ret, LogCompress method, int fd, uint64_t *ret_origin) {
        const PackOps *ops = ops_of(method);
        if (!ops)
                return -EINVAL;
        _cleanup_(log_unpacker_freep) LogUnpacker *u = NEW0(LogUnpacker);
        if (!u)
                return -ENOMEM;
        u->ops = ops;
        u->fd = fd;
        int r = ops->open(u);
        if (r < 0)
                return r;
        *ret_origin = log_pack_origin(fd, method);
        *ret = TAKE_PTR(u);
        return 0;
}

LogUnpacker *log_unpacker_free(LogUnpacker *u) {
        if (!u)
                return NULL;
        u->ops->close(u);
        free(u);
        return NULL;
}

/* More of the file into the empty buffer. 1, or 0 at its end. */
static int unpacker_fill(LogUnpacker *u) {
        ssize_t k = pread(u->fd, u->buffer, sizeof u->buffer, (off_t) u->file_offset);
        if (k < 0)
                return -errno;
        u->begin = 0;
        u->end = (size_t) k;
        u->file_offset += (uint64_t) k;
        return k > 0;
}

ssize_t log_unpacker_read(LogUnpacker *u, void *data, size_t n) {
        while (!u->is_over && n > 0) {
                size_t got = 0;
                int r = u->begin < u->end ? 1 : unpacker_fill(u);
                if (r < 0)
                        return r;
                if (r == 0 && u->is_frame_done) {
                        u->is_over = true;
                        break;
                }
                bool is_end = r == 0;
                r = u->ops->get(u, data, n, &got);
                u->position += got;
                if (got > 0)
                        return (ssize_t) got;
                if (r < 0 || is_end) {
                        u->is_over = true;
                        return r < 0 ? r : -EBADMSG;
                }
        }
        return 0;
}

uint64_t log_unpacker_position(const LogUnpacker *u) {
        return u->position;
}

int log_unpacker_rewind(LogUnpacker *u) {
        u->ops->close(u);
        u->gzip = (z_stream){0};
        u->zstd = NULL;
        u->file_offset = u->position = 0;
        u->begin = u->end = 0;
        u->is_over = u->is_frame_done = false;
        return u->ops->open(u);
}

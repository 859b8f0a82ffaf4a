/* blob-memory.c - see blob-memory.h. */
#include "wire/blob-memory.h"

#include "base/alloc.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#define LOOK_SIZE ((size_t) 1 << 20)   /* from here on memory is asked for before it is written: an error, and no SIGBUS */
#define SPARE_MIN ((size_t) 32 << 10)  /* smaller ones malloc(3) has at hand */
#define SPARE_FIRST ((size_t) 64 << 10) /* of 64, 128 and 256 KiB */
#define SPARE_KINDS 3
#define SPARE_EACH 2

static _Atomic(void *) spare[SPARE_KINDS][SPARE_EACH];

static size_t kind_of(size_t size) {
        return size <= SPARE_FIRST ? 0 : size <= 2 * SPARE_FIRST ? 1 : 2;
}

static void *buffer_new(size_t size) {
        size_t kind = kind_of(size);

        if (size < SPARE_MIN)
                return malloc(size);
        for (size_t i = 0; i < SPARE_EACH; i++) {
                void *found = atomic_load_explicit(&spare[kind][i], memory_order_relaxed) ? atomic_exchange(&spare[kind][i], NULL) : NULL;

                if (found)
                        return found;
        }
        return malloc(SPARE_FIRST << kind);
}

static void buffer_free(void *buffer, size_t size) {
        for (size_t i = 0; buffer && size >= SPARE_MIN && i < SPARE_EACH; i++) {
                void *none = NULL;

                if (atomic_compare_exchange_strong(&spare[kind_of(size)][i], &none, buffer))
                        return;
        }
        free(buffer);
}

static void *map(int fd, size_t size, int protection) {
        void *m = mmap(NULL, size, protection, MAP_SHARED | MAP_POPULATE, fd, 0);

        return m == MAP_FAILED ? NULL : m;
}

void *blob_memory_new(int fd, size_t size) {
        void *m;

        if (size > BLOB_COPY_MAX)
                return size >= LOOK_SIZE && fallocate(fd, 0, 0, (off_t) size) < 0 ? NULL : map(fd, size, PROT_READ | PROT_WRITE);
        m = buffer_new(size);
        return m ? memset(m, 0, size) : NULL;
}

static int read_bytes(int fd, char *to, size_t size) {
        for (size_t at = 0; at < size;) {
                ssize_t n = pread(fd, to + at, size - at, (off_t) at);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : -EIO;
                at += (size_t) n;
        }
        return 0;
}

void *blob_memory_read(int fd, size_t size) {
        void *m;
        int r;

        if (size > BLOB_COPY_MAX)
                return map(fd, size, PROT_READ);
        m = buffer_new(size);
        r = m ? read_bytes(fd, m, size) : -ENOMEM;
        if (r >= 0)
                return m;
        buffer_free(m, size);
        errno = -r;
        return NULL;
}

void blob_memory_free(void *memory, size_t size) {
        if (memory && size > BLOB_COPY_MAX)
                (void) munmap(memory, size);
        else
                buffer_free(memory, size);
}

int blob_memory_write(int fd, const void *data, size_t size) {
        for (size_t at = 0; at < size;) {
                ssize_t n = pwrite(fd, (const char *) data + at, size - at, (off_t) at);

                if (n < 0 && errno != EINTR)
                        return -errno;
                at += n > 0 ? (size_t) n : 0;
        }
        return 0;
}

int blob_memory_seal(int fd, void *memory_take, size_t size) {
        int r = memory_take && size <= BLOB_COPY_MAX ? blob_memory_write(fd, memory_take, size) : 0;

        blob_memory_free(memory_take, size);
        if (r < 0)
                return r;
        return fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) < 0 ? -errno : 0;
}

/* blob-memory.h - the bytes of a blob in this process: of a small one a copy, of a large one a mapping.
 *
 * To fill the pages of a memfd by pwrite(2) takes half of the time that it takes to map, zero, fill and unmap them, and to
 * read them by pread(2) a quarter of it; where memory for the copy would have to be made first, that is lost again. So
 * copies have at most BLOB_COPY_MAX, and the buffers of a few stay for the next ones, of whichever thread.
 *
 * Owner: whoever has the descriptor, beside it. Used by libdrover's client and worker alike. */
#ifndef DROVER_WIRE_BLOB_MEMORY_H
#define DROVER_WIRE_BLOB_MEMORY_H

#include <stddef.h>

#define BLOB_COPY_MAX ((size_t) 256 << 10)

/** blob_memory_new() - of @size bytes, zeroed, to be written: what is in it goes to @fd by blob_memory_seal(). NULL: errno. */
void *blob_memory_new(int fd, size_t size);
/** blob_memory_read() - what is in @fd; not to be written. NULL: errno; EIO: it has less than @size. */
void *blob_memory_read(int fd, size_t size);
/** blob_memory_free() - NULL is fine. @size: as it was made. */
void blob_memory_free(void *memory, size_t size);
/** blob_memory_seal() - @memory_take of blob_memory_new(), or NULL, is what it has from now on. -EBUSY: mapped elsewhere; -errno. */
int blob_memory_seal(int fd, void *memory_take, size_t size);
/** blob_memory_write() - @data, at its begin. -errno. */
int blob_memory_write(int fd, const void *data, size_t size);

#endif

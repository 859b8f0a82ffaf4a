/* fuzz-blob-name.c - the name of a blob as workers write it, a text, and as clients do, a JSON value: what either takes is a blob
 * of that set, and both take the same. Input: one name. */
#include "task/blob.h"

#include "base/fd.h"
#include <fcntl.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true) {
        if (!is_true)
                abort();
}

/* As it is claimed. */
static void use(BlobRoom *room, BlobSet *set, Slice id, uint64_t size) {
        BlobSet used = {0};
        Blob *b = blob_find(set, id);
        int r;

        require(!b || b == set->first);
        if (!b)
                return;
        r = blob_use(b, &used, 2, size);
        require(r == (size > 10 ? -ERANGE : 0));
        require(r < 0 || blob_size(used.first) == (size > 0 ? size : 10));
        blob_set_move(set, &used);
        require(blob_room_n(room) == 1);
}

static void try_both(BlobRoom *room, BlobSet *set, const char *text, size_t n) {
        json_t *v = json_loadb(text, n, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
        Slice whole, id = {0}, json_id = {0};
        uint64_t size = 0, json_size = 0;
        bool is_json = slice_value(text, n, &whole, NULL) >= 0, is_text = is_json && blob_name_text(whole, &id, &size) >= 0;

        if (is_text) {
                require(id.n == 0 || (id.at >= text && id.at + id.n <= text + n));
                use(room, set, id, size);
        }
        if (v && blob_name_json(v, &json_id, &json_size) >= 0) {
                if (!is_text) { /* a key with an escape in it is not found in a text */
                        require(memchr(text, '\\', n));
                        json_decref(v);
                        return;
                }
                require(size == json_size);
                require(memchr(id.at, '\\', id.n) || (id.n == json_id.n && memcmp(id.at, json_id.at, id.n) == 0));
                use(room, set, json_id, json_size);
        }
        json_decref(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        BlobSet set = {0};
        BlobRoom *room;
        Blob *b;
        int fd;

        require(blob_room_new(&room, NULL) >= 0);
        require(blob_new(room, &set, 1, 10, 0, &b) >= 0);
        fd = blob_lend(b);
        require(fd >= 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0);
        fd_close(fd);
        try_both(room, &set, (const char *) data, size);
        blob_set_done(&set);
        blob_room_free(room);
        return 0;
}

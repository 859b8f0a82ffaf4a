/* blob-record.c - blobs over droverd's death: kept by the keeper under "blob.NUMBER.GENERATION", named by the records of
 * tasks; those of a worker that it has not used yet are named by nothing but that. */
#include "task/blob-internal.h"

#include "base/fd.h"
#include <stdio.h>
#include <sys/stat.h>

#define PREFIX "blob."

static void kept_name(const Blob *b, char buf[static KEEPER_KEPT_NAME_MAX]) {
        (void) snprintf(buf, KEEPER_KEPT_NAME_MAX, PREFIX "%llu.%llu", (unsigned long long) b->number, (unsigned long long) b->generation);
}

int blob_keep(Blob *b) {
        char name[KEEPER_KEPT_NAME_MAX];
        int r;

        if (b->is_kept || !b->room->keeper)
                return 0;
        if (b->room->n_kept >= BLOBS_KEPT_MAX)
                return -ENOBUFS;
        kept_name(b, name);
        r = keeper_link_keep(b->room->keeper, name, b->fd);
        if (r < 0)
                return r;
        b->is_kept = true;
        b->room->n_kept++;
        return 0;
}

void blob_drop_kept(Blob *b) {
        char name[KEEPER_KEPT_NAME_MAX];

        if (!b->is_kept)
                return;
        b->is_kept = false;
        b->room->n_kept--;
        kept_name(b, name);
        if (b->room->keeper)
                (void) keeper_link_drop(b->room->keeper, name);
}

int blob_set_keep(BlobSet *s) {
        Blob *b;
        int r = 0;

        DL_FOREACH(s->first, b)
                if (r >= 0)
                        r = blob_keep(b);
        return r;
}

void blob_set_put_record(const BlobSet *s, Text *t, const char *key) {
        const Blob *b;

        json_put_array(t, key);
        DL_FOREACH(s->first, b) {
                json_put_array(t, NULL);
                json_put_u64(t, NULL, b->number);
                json_put_u64(t, NULL, b->generation);
                json_put_u64(t, NULL, b->size);
                json_end_array(t);
        }
        json_end_array(t);
}

/* A descriptor of the table becomes a blob again. */
static int restore(BlobRoom *r, BlobSet *s, Blob *like, int fd) {
        struct stat st;
        Blob *b;
        int error;

        if (fd < 0 || fstat(fd, &st) < 0 || st.st_size < 1)
                error = -ENOENT;
        else {
                like->fd = fd;
                like->is_kept = true;
                like->capacity = (size_t) st.st_size;
                like->size = like->size > 0 ? MIN(like->size, like->capacity) : like->capacity;
                error = blob_adopt(r, s, like, &b);
        }
        if (error < 0)
                fd_close(fd);
        r->last_number = MAX(r->last_number, like->number);
        return error;
}

static uint64_t number_at(const json_t *a, size_t i) {
        return (uint64_t) json_integer_value(json_array_get(a, i));
}

int blob_set_restore(BlobRoom *r, BlobSet *s, uid_t uid, const json_t *record, KeeperTable *table) {
        char name[KEEPER_KEPT_NAME_MAX];
        int error = 0, each;
        json_t *v;
        size_t i;

        json_array_foreach(record, i, v) {
                Blob like = {.number = number_at(v, 0), .generation = number_at(v, 1), .size = number_at(v, 2), .uid = uid};

                kept_name(&like, name);
                each = restore(r, s, &like, table ? keeper_table_take_fd(table, name) : -ENOENT);
                error = each < 0 ? each : error;
        }
        return error;
}

void blob_room_restore_rest(BlobRoom *r, KeeperTable *table, BlobSet *(*set_of)(uint64_t generation, void *userdata), void *userdata) {
        for (size_t i = 0; table && i < table->n_kept; i++) {
                unsigned long long number, generation;
                BlobSet *s;

                if (table->kept[i].fd < 0 || sscanf(table->kept[i].name, PREFIX "%llu.%llu", &number, &generation) != 2)
                        continue;
                s = set_of(generation, userdata);
                if (s) {
                        Blob like = {.number = number, .generation = generation, .uid = BLOB_UID_NONE};

                        (void) restore(r, s, &like, TAKE_FD(table->kept[i].fd));
                } else if (r->keeper)
                        (void) keeper_link_drop(r->keeper, table->kept[i].name);
                r->last_number = MAX(r->last_number, (uint64_t) number);
        }
}

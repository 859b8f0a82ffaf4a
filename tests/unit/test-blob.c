/* test-blob.c - blobs: bounds and who is charged, lent, sealed, used; names as others write them; on record. */
#include "task/blob.h"

#include "base/fd.h"
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define GIB (1ull << 30)

static BlobRoom *room;
static BlobSet made, used;

static void set_up(void) {
        ck_assert_int_eq(blob_room_new(&room, NULL), 0);
        blob_room_set_memory(room, 64 * GIB, 64 * GIB);
}

static void tear_down(void) {
        blob_set_done(&made);
        blob_set_done(&used);
        ck_assert_uint_eq(blob_room_n(room), 0);
        ck_assert_uint_eq(blob_room_bytes(room), 0);
        room = blob_room_free(room);
}

static int make(uid_t uid, uint64_t size) {
        Blob *b;

        return blob_new(room, &made, uid, size, 0, &b);
}

static void seal(const Blob *b, const char *content) {
        _cleanup_fd_ int fd = blob_lend(b);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(pwrite(fd, content, strlen(content), 0), (ssize_t) strlen(content));
        ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
}

/* ---- bounds ---- */

START_TEST(test_sizes) {
        ck_assert_int_eq(make(1, 0), -EINVAL);
        ck_assert_int_eq(make(1, BLOB_SIZE_MAX + 1ull), -EFBIG);
        ck_assert_int_eq(make(1, UINT64_MAX), -EFBIG);
        ck_assert_int_eq(make(1, 1), 0);
        ck_assert_int_eq(make(1, BLOB_SIZE_MAX), 0);
        ck_assert_uint_eq(blob_room_n(room), 2);
        ck_assert_uint_eq(blob_room_bytes(room), BLOB_SIZE_MAX + 1ull);
}
END_TEST

/* Half of the machine's memory for all; and what is free now, with some left, for all but small ones. */
START_TEST(test_memory) {
        blob_room_set_memory(room, 4 << 20, GIB);
        ck_assert_int_eq(make(1, (2 << 20) + 1), -ENOBUFS);
        ck_assert_int_eq(make(1, 1 << 20), 0);
        ck_assert_int_eq(make(2, 1 << 20), 0);
        ck_assert_int_eq(make(3, 1), -ENOBUFS);
        blob_set_done(&made);
        ck_assert_int_eq(make(3, 2 << 20), 0);
        blob_room_set_memory(room, 64 * GIB, BLOB_MEMORY_LEFT + BLOB_LOOK_SIZE);
        ck_assert_int_eq(make(1, BLOB_LOOK_SIZE), 0);
        ck_assert_int_eq(make(1, BLOB_LOOK_SIZE + 1), -ENOBUFS);
        blob_room_set_memory(room, 64 * GIB, 1);
        ck_assert_int_eq(make(1, BLOB_LOOK_SIZE), -ENOBUFS);
        ck_assert_int_eq(make(1, BLOB_LOOK_SIZE - 1), 0);
}
END_TEST

START_TEST(test_quota) {
        ck_assert_int_eq(make(1, BLOB_SIZE_MAX), 0);
        ck_assert_int_eq(make(1, BLOB_SIZE_MAX), 0);
        ck_assert_int_eq(make(1, 1), -EDQUOT);
        ck_assert_int_eq(make(2, 1), 0);
        blob_free(made.first);
        ck_assert_int_eq(make(1, BLOB_SIZE_MAX), 0);
        ck_assert_int_eq(make(1, 1), -EDQUOT);
}
END_TEST

/* A worker's is charged to whose task it answers: too much is refused, and it stays where it was. */
START_TEST(test_worker_quota) {
        Blob *b;

        ck_assert_int_eq(make(1, BLOB_SIZE_MAX), 0);
        ck_assert_int_eq(make(1, BLOB_SIZE_MAX), 0);
        ck_assert_int_eq(blob_new(room, &made, BLOB_UID_NONE, 100, 7, &b), 0);
        seal(b, "abc");
        ck_assert_int_eq(blob_use(b, &used, 1, 0), -EDQUOT);
        ck_assert_uint_eq(used.n, 0);
        ck_assert_uint_eq(made.n, 3);
        blob_free(made.first);
        ck_assert_int_eq(blob_use(b, &used, 1, 0), 0);
        ck_assert_int_eq(make(1, BLOB_SIZE_MAX), -EDQUOT);
        ck_assert_int_eq(make(1, BLOB_SIZE_MAX - 100), 0);
}
END_TEST

static const struct {
        int error;
        const char *part;
} errors[] = {
        {-EINVAL, "at least one byte"}, {-EFBIG, "at most 1073741824 bytes"}, {-EDQUOT, "fetch results"}, {-ENOBUFS, "try again"},
        {-EBUSY, "F_SEAL_WRITE"},       {-ERANGE, "\"size\""},                {-ENOENT, "no such blob"},  {-E2BIG, "at most 16 blobs"},
        {-EMFILE, "cannot be had"},
};

START_TEST(test_errors) {
        char buf[256];
        const char *said = blob_error(errors[_i].error, buf, sizeof buf);

        ck_assert_msg(strstr(said, errors[_i].part) != NULL, "%s", said);
}
END_TEST

/* ---- lent and used ---- */

START_TEST(test_use) {
        Blob *b;
        char id[BLOB_ID_MAX];
        Text text = {0};

        ck_assert_int_eq(blob_new(room, &made, 1, 10, 0, &b), 0);
        ck_assert_int_eq(blob_use(b, &used, 1, 0), -EBUSY);
        seal(b, "0123456789");
        ck_assert_int_eq(blob_use(b, &used, 1, 11), -ERANGE);
        ck_assert_ptr_eq(blob_find(&made, slice_of(blob_id(b, id))), b);
        ck_assert_int_eq(blob_use(b, &used, 1, 4), 0);
        ck_assert_ptr_null(blob_find(&made, slice_of(id)));
        ck_assert_ptr_eq(blob_at(&used, 0), b);
        ck_assert_ptr_null(blob_at(&used, 1));
        ck_assert_uint_eq(used.bytes, 4);
        ck_assert_int_eq(blob_read(b, &text), 0);
        ck_assert_str_eq(text.data, "0123");
        text_done(&text);
}
END_TEST

/* Neither can it be made longer or shorter, nor does a reader have the maker's offset or his right to write. */
START_TEST(test_descriptors) {
        Blob *b;
        int writer, reader;
        char c[2];

        ck_assert_int_eq(blob_new(room, &made, 1, 3, 0, &b), 0);
        writer = blob_lend(b);
        ck_assert_int_lt(ftruncate(writer, 2), 0);
        ck_assert_int_lt(ftruncate(writer, 4), 0);
        ck_assert_int_eq(write(writer, "abc", 3), 3);
        reader = blob_open(b);
        ck_assert_int_eq(read(reader, c, 2), 2);
        ck_assert_mem_eq(c, "ab", 2);
        ck_assert_int_lt(write(reader, "x", 1), 0);
        ck_assert_int_eq(lseek(writer, 0, SEEK_CUR), 3);
        fd_close(writer);
        fd_close(reader);
}
END_TEST

START_TEST(test_read_too_large) {
        Text text = {0};
        Blob *b;

        ck_assert_int_eq(blob_new(room, &made, 1, BLOB_INLINE_MAX + 1, 0, &b), 0);
        ck_assert_int_eq(blob_read(b, &text), -EFBIG);
        ck_assert_uint_eq(text.length, 0);
        text_done(&text);
}
END_TEST

/* ---- names ---- */

static const struct {
        const char *text, *id; /* NULL: refused */
        uint64_t size;
} names[] = {
        {"\"blob-1\"", "blob-1", 0},
        {"\"\"", "", 0},
        {"{\"blob\":\"blob-7\",\"size\":12}", "blob-7", 12},
        {"{\"size\": 12 , \"blob\" : \"blob-7\"}", "blob-7", 12},
        {"{\"blob\":\"x\"}", "x", 0},
        {"{\"blob\":7}", NULL, 0},
        {"{\"blob\":\"x\",\"size\":-1}", NULL, 0},
        {"{\"blob\":\"x\",\"size\":1.5}", NULL, 0},
        {"{\"blob\":\"x\",\"size\":\"1\"}", NULL, 0},
        {"{\"blob\":\"x\",\"size\":18446744073709551616}", NULL, 0},
        {"{\"blob\":null}", NULL, 0},
        {"{}", NULL, 0},
        {"[]", NULL, 0},
        {"[\"blob-1\"]", NULL, 0},
        {"null", NULL, 0},
        {"1", NULL, 0},
};

START_TEST(test_names) {
        Slice id = {0};
        uint64_t size = 99;
        int r = blob_name_text(slice_of(names[_i].text), &id, &size);

        ck_assert_int_eq(r, names[_i].id ? 0 : -EINVAL);
        if (r < 0)
                return;
        ck_assert_uint_eq(id.n, strlen(names[_i].id));
        ck_assert_mem_eq(id.at, names[_i].id, id.n);
        ck_assert_uint_eq(size, names[_i].size);
}
END_TEST

static const char *const strange_ids[] = {
        "", "blob-", "blob", "blob-0", "blob-+1", "blob- 1", "blob-1 ", "blob-1x", "Blob-1", "blob--1", "blob-18446744073709551617",
        "blob-99999999999999999999999999", "blob-2", "1", "blob-1\\u0000",
};

START_TEST(test_find) {
        ck_assert_int_eq(make(1, 10), 0); /* blob-1 */
        ck_assert_ptr_nonnull(blob_find(&made, slice_of("blob-1")));
        ck_assert_ptr_null(blob_find(&made, slice_of(strange_ids[_i])));
}
END_TEST

/* Whatever a worker writes where a name belongs: cut anywhere and with any byte of it changed, nothing beyond it is read, and what
 * is found is in the set. */
START_TEST(test_any_name) {
        Slice id;
        uint64_t size;

        ck_assert_int_eq(make(1, 10), 0);
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                size_t length = strlen(names[i].text);

                for (size_t n = 0; n <= length; n++)
                        for (size_t at = 0; at < (n > 0 ? n : 1); at++)
                                for (unsigned byte = 0; byte < 256; byte += 3) {
                                        char *copy = malloc(n);
                                        Blob *b;

                                        memcpy(copy, names[i].text, n);
                                        if (n > 0)
                                                copy[at] = (char) byte;
                                        if (blob_name_text((Slice){copy, n}, &id, &size) >= 0) {
                                                ck_assert(id.n == 0 || (id.at >= copy && id.at + id.n <= copy + n));
                                                b = blob_find(&made, id);
                                                ck_assert(!b || b == made.first);
                                        }
                                        free(copy);
                                }
        }
}
END_TEST

/* ---- on record ---- */

static KeeperTable table;

static void keep_in_table(const Blob *b, uint64_t number, uint64_t generation) {
        struct KeeperKept *k = &table.kept[table.n_kept++];

        (void) snprintf(k->name, sizeof k->name, "blob.%llu.%llu", (unsigned long long) number, (unsigned long long) generation);
        k->fd = blob_lend(b);
}

START_TEST(test_record) {
        struct KeeperKept kept[2];
        BlobSet again = {0};
        BlobRoom *next;
        Blob *a, *b, *c;
        Text t = {0}, text = {0};
        json_t *record;

        table = (KeeperTable){.kept = kept};
        ck_assert_int_eq(blob_new(room, &made, 1, 10, 0, &a), 0);
        ck_assert_int_eq(blob_new(room, &made, 1, 20, 5, &b), 0);
        seal(a, "0123456789");
        seal(b, "abcdef");
        ck_assert_int_eq(blob_use(b, &used, 1, 6), 0);
        blob_set_move(&used, &made);
        keep_in_table(a, 1, 0);
        keep_in_table(b, 2, 5);
        text_append(&t, "{");
        blob_set_put_record(&used, &t, "blobs");
        text_append(&t, "}");
        record = json_loads(t.data, 0, NULL);
        ck_assert_ptr_nonnull(record);

        ck_assert_int_eq(blob_room_new(&next, NULL), 0);
        ck_assert_int_eq(blob_set_restore(next, &again, 1, json_object_get(record, "blobs"), &table), 0);
        ck_assert_uint_eq(again.n, 2);
        ck_assert_uint_eq(blob_room_bytes(next), 30);
        ck_assert_int_eq(blob_read(blob_at(&again, 0), &text), 0);
        ck_assert_int_eq(blob_read(blob_at(&again, 1), &text), 0);
        ck_assert_str_eq(text.data, "abcdef0123456789");
        ck_assert_int_eq(blob_set_restore(next, &again, 1, json_object_get(record, "blobs"), &table), -ENOENT); /* taken */
        ck_assert_uint_eq(again.n, 2);
        ck_assert_int_eq(blob_new(next, &again, 1, 1, 0, &c), 0); /* no number twice */
        ck_assert_ptr_eq(blob_find(&again, slice_of("blob-3")), c);
        blob_set_done(&again);
        blob_room_free(next);
        json_decref(record);
        text_done(&t);
        text_done(&text);
}
END_TEST

static BlobSet *set_of(uint64_t generation, void *userdata) {
        return generation == 5 ? userdata : NULL;
}

/* What no record names: a worker's that lives is its own again, and of others nothing is left. */
START_TEST(test_rest) {
        struct KeeperKept kept[3] = {{.fd = -EBADF}};
        BlobSet again = {0};
        Blob *b;

        table = (KeeperTable){.kept = kept};
        ck_assert_int_eq(blob_new(room, &made, BLOB_UID_NONE, 20, 5, &b), 0);
        keep_in_table(b, 1, 5);
        keep_in_table(b, 9, 6);
        (void) snprintf(kept[2].name, sizeof kept[2].name, "blob.x");
        kept[2].fd = blob_lend(b);
        table.n_kept = 3;
        blob_room_restore_rest(room, &table, set_of, &again);
        ck_assert_uint_eq(again.n, 1);
        ck_assert_uint_eq(blob_size(again.first), 20);
        ck_assert_int_eq(kept[0].fd, -EBADF);
        fd_close(kept[1].fd);
        fd_close(kept[2].fd);
        blob_set_done(&again);
}
END_TEST

int main(void) {
        Suite *s = suite_create("blob");
        TCase *t = tcase_create("all");
        SRunner *r;
        int n;

        tcase_add_checked_fixture(t, set_up, tear_down);
        tcase_add_test(t, test_sizes);
        tcase_add_test(t, test_memory);
        tcase_add_test(t, test_quota);
        tcase_add_test(t, test_worker_quota);
        tcase_add_loop_test(t, test_errors, 0, (int) ARRAY_SIZE(errors));
        tcase_add_test(t, test_use);
        tcase_add_test(t, test_descriptors);
        tcase_add_test(t, test_read_too_large);
        tcase_add_loop_test(t, test_names, 0, (int) ARRAY_SIZE(names));
        tcase_add_loop_test(t, test_find, 0, (int) ARRAY_SIZE(strange_ids));
        tcase_add_test(t, test_any_name);
        tcase_add_test(t, test_record);
        tcase_add_test(t, test_rest);
        suite_add_tcase(s, t);
        r = srunner_create(s);
        srunner_run_all(r, CK_ENV);
        n = srunner_ntests_failed(r);
        srunner_free(r);
        return n != 0;
}

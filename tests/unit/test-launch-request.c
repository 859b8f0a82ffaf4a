/* test-launch-request.c - what is packed comes back; what is damaged is refused; packets have their lengths. */
#include "base/fd.h"
#include "base/file.h"
#include "link/keeper-protocol.h"
#include "link/launch-request.h"
#include "link/logger-protocol.h"
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char arena[64 * 1024];

static char *full_argv[] = {(char *) "/bin/sh", (char *) "-c", (char *) "", NULL};
static char *full_env[] = {(char *) "PATH=/bin", (char *) "EMPTY=", NULL};
static char *full_candidates[] = {(char *) "/usr/local/bin/sh", (char *) "/bin/sh", NULL};
static const gid_t full_groups[] = {4, 27, 65534};
static const LaunchLimit full_limits[] = {{RLIMIT_NOFILE, {64, 128}}, {RLIMIT_CORE, {0, RLIM_INFINITY}}};

static char *full_paths[] = {(char *) "/etc", (char *) "/srv", NULL};

static LaunchSpec full_spec(void) {
        LaunchSpec s = {
                .argv = full_argv, .env = full_env, .candidates = full_candidates, .directory = "/srv",
                .stdio_path = {"/tmp/in", NULL, "/tmp/err"},
                .set_identity = true, .uid = 65534, .gid = 65533, .groups = full_groups, .n_groups = 3,
                .umask = 027, .has_nice = true, .nice = -5, .has_oom_score_adj = true, .oom_score_adj = 300,
                .has_affinity = true, .no_new_privs = true, .limits = full_limits, .n_limits = 2,
                .set_capabilities = true, .capabilities = UINT64_C(1) << 40 | 3, .isolation = LAUNCH_ISOLATION_MOUNT,
                .private_tmp = true, .paths = {NULL, full_paths, NULL, full_paths},
                .fd_targets = {3, 9}, .n_fds = 2, .ready_fd = 7,
        };

        CPU_SET(1, &s.affinity);
        return s;
}

/* The bytes of a packed spec in *ret_data, to be freed. */
static size_t packed(const LaunchSpec *s, char **ret_data) {
        _cleanup_fd_ int fd = -EBADF;
        struct stat st;

        ck_assert_int_eq(launch_request_pack(s, &fd), 0);
        ck_assert_int_eq(fstat(fd, &st), 0);
        *ret_data = malloc((size_t) st.st_size);
        ck_assert_int_eq(pread(fd, *ret_data, (size_t) st.st_size, 0), st.st_size);
        return (size_t) st.st_size;
}

START_TEST(everything_comes_back) {
        LaunchSpec in = full_spec(), out;
        _cleanup_free_ char *data = NULL;
        size_t size = packed(&in, &data);

        ck_assert_int_eq(launch_request_unpack(data, size, arena, sizeof(arena), &out), 0);
        for (int i = 0; i < 4; i++)
                ck_assert_pstr_eq(out.argv[i], full_argv[i]);
        for (int i = 0; i < 3; i++)
                ck_assert_pstr_eq(out.env[i], full_env[i]);
        for (int i = 0; i < 3; i++)
                ck_assert_pstr_eq(out.candidates[i], full_candidates[i]);
        ck_assert_str_eq(out.directory, "/srv");
        ck_assert_ptr_null(out.paths[LAUNCH_PATH_READ_WRITE]);
        for (int i = 0; i < 3; i++)
                ck_assert_pstr_eq(out.paths[LAUNCH_PATH_INACCESSIBLE][i], full_paths[i]);
        ck_assert(out.set_capabilities && out.private_tmp && out.isolation == LAUNCH_ISOLATION_MOUNT);
        ck_assert_uint_eq(out.capabilities, UINT64_C(1) << 40 | 3);
        for (int i = 0; i < 3; i++)
                ck_assert_pstr_eq(out.stdio_path[i], in.stdio_path[i]);
        ck_assert(out.set_identity && out.has_nice && out.has_oom_score_adj && out.has_affinity && out.no_new_privs);
        ck_assert_uint_eq(out.uid, 65534);
        ck_assert_uint_eq(out.gid, 65533);
        ck_assert_uint_eq(out.n_groups, 3);
        ck_assert_mem_eq(out.groups, full_groups, sizeof(full_groups));
        ck_assert_uint_eq(out.umask, 027);
        ck_assert_int_eq(out.nice, -5);
        ck_assert_int_eq(out.oom_score_adj, 300);
        ck_assert(CPU_EQUAL(&out.affinity, &in.affinity));
        ck_assert_uint_eq(out.n_limits, 2);
        ck_assert_int_eq(out.limits[1].resource, RLIMIT_CORE);
        ck_assert(out.limits[1].value.rlim_max == RLIM_INFINITY && out.limits[0].value.rlim_cur == 64);
        ck_assert_uint_eq(out.n_fds, 2);
        ck_assert_int_eq(out.fd_targets[1], 9);
        ck_assert_int_eq(out.ready_fd, 7);
}
END_TEST

START_TEST(the_least_comes_back) {
        char *argv[] = {(char *) "x", NULL}, *none[] = {NULL};
        LaunchSpec in = {.argv = argv, .env = none, .candidates = argv, .ready_fd = -1}, out;
        _cleanup_free_ char *data = NULL;
        size_t size = packed(&in, &data);

        ck_assert_int_eq(launch_request_unpack(data, size, arena, sizeof(arena), &out), 0);
        ck_assert_ptr_null(out.env[0]);
        ck_assert_ptr_null(out.directory);
        ck_assert(!out.set_identity && !out.has_nice && !out.no_new_privs);
        ck_assert_int_eq(out.ready_fd, -1);
}
END_TEST

START_TEST(the_memfd_is_sealed) {
        LaunchSpec in = full_spec();
        _cleanup_fd_ int fd = -EBADF;

        ck_assert_int_eq(launch_request_pack(&in, &fd), 0);
        ck_assert_int_eq(fcntl(fd, F_GET_SEALS) & (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL),
                         F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
        ck_assert_int_lt(ftruncate(fd, 0), 0);
        ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}
END_TEST

static void no_argv(LaunchSpec *s) { s->argv = NULL; }
static void no_candidates(LaunchSpec *s) { s->candidates++, s->candidates++; }
static void many_fds(LaunchSpec *s) { s->n_fds = LAUNCH_FDS_MAX + 1; }
static void stdio_target(LaunchSpec *s) { s->fd_targets[0] = 2; }
static void double_target(LaunchSpec *s) { s->fd_targets[0] = 9; }
static void ready_taken(LaunchSpec *s) { s->ready_fd = 9; }
static void ready_stdio(LaunchSpec *s) { s->ready_fd = 0; }
static void bad_umask(LaunchSpec *s) { s->umask = 010000; }
static void many_groups(LaunchSpec *s) { s->n_groups = LAUNCH_GROUPS_MAX + 1; }

static void (*const refused[])(LaunchSpec *) = {
        no_argv, no_candidates, many_fds, stdio_target, double_target, ready_taken, ready_stdio, bad_umask, many_groups,
};

START_TEST(nonsense_is_not_packed) {
        LaunchSpec s = full_spec();
        int fd = -123;

        refused[_i](&s);
        ck_assert_int_eq(launch_request_pack(&s, &fd), -EINVAL);
        ck_assert_int_eq(fd, -123);
}
END_TEST

START_TEST(too_big_is_not_packed) {
        _cleanup_free_ char *huge = malloc(LAUNCH_REQUEST_MAX + 1);
        LaunchSpec s = full_spec();
        char *argv[] = {huge, NULL};
        int fd = -123;

        memset(huge, 'x', LAUNCH_REQUEST_MAX);
        huge[LAUNCH_REQUEST_MAX] = '\0';
        s.argv = argv;
        ck_assert_int_eq(launch_request_pack(&s, &fd), -E2BIG);
}
END_TEST

START_TEST(every_cut_is_refused) {
        LaunchSpec in = full_spec(), out = {.nice = 77};
        _cleanup_free_ char *data = NULL;
        size_t size = packed(&in, &data);

        for (size_t cut = 0; cut < size; cut++)
                ck_assert_int_eq(launch_request_unpack(data, cut, arena, sizeof(arena), &out), -EBADMSG);
        ck_assert_int_eq(out.nice, 77);
        for (size_t room = 0; room < 64; room += 8)
                ck_assert_int_eq(launch_request_unpack(data, size, arena, room, &out), -ENOBUFS);
}
END_TEST

/* One byte changed anywhere: refused, or read as something whose strings all end inside. */
START_TEST(every_flip_is_survived) {
        LaunchSpec in = full_spec();
        _cleanup_free_ char *data = NULL;
        size_t size = packed(&in, &data);

        for (size_t at = 0; at < size; at++)
                for (int bit = 0; bit < 8; bit++) {
                        _cleanup_free_ char *copy = malloc(size);
                        LaunchSpec out;
                        size_t total = 0;

                        memcpy(copy, data, size);
                        copy[at] ^= (char) (1 << bit);
                        if (launch_request_unpack(copy, size, arena, sizeof(arena), &out) < 0)
                                continue;
                        ck_assert_ptr_nonnull(out.argv[0]);
                        for (char **v = out.argv; *v; v++)
                                total += strlen(*v) + 1;
                        for (char **v = out.candidates; *v; v++)
                                total += strlen(*v) + 1;
                        ck_assert_uint_le(total, size);
                        ck_assert_uint_le(out.n_fds, LAUNCH_FDS_MAX);
                }
}
END_TEST

static const struct {
        uint32_t type;
        size_t size;
} keeper_sizes[] = {
        {0, 0}, {KEEPER_ACK, 16}, {KEEPER_SIGNAL, 28}, {KEEPER_KEEP, 16 + KEEPER_KEPT_NAME_MAX}, {KEEPER_NOTIFY, 16 + KEEPER_TEXT_MAX},
        {KEEPER_HELLO - 1, 0}, {KEEPER_TABLE_END, 16}, {KEEPER_RELOAD, 16}, {KEEPER_RELOAD + 1, 0}, {UINT32_MAX, 0},
};

START_TEST(packets_have_their_length) {
        ck_assert_uint_eq(keeper_message_size(keeper_sizes[_i].type), keeper_sizes[_i].size);
        for (uint32_t t = 0; t < 100; t++) {
                ck_assert_uint_le(keeper_message_size(t), sizeof(KeeperMessage));
                ck_assert_uint_le(logger_message_size(t), sizeof(LoggerMessage));
        }
        ck_assert_uint_eq(logger_message_size(LOGGER_FINISH), 24);
        ck_assert_uint_eq(logger_message_size(LOGGER_DROPPED + 1), 0);
        ck_assert_uint_eq(logger_message_size(LOGGER_READ - 1), 0);
}
END_TEST

START_TEST(stages_have_names) {
        for (int i = 0; i < _LAUNCH_STAGE_MAX; i++)
                ck_assert_str_ne(launch_stage_to_string((LaunchStage) i), "unknown");
        ck_assert_str_eq(launch_stage_to_string(LAUNCH_EXEC), "exec");
        ck_assert_str_eq(launch_stage_to_string(_LAUNCH_STAGE_MAX), "unknown");
}
END_TEST

int main(void) {
        Suite *s = suite_create("launch-request");
        TCase *t = tcase_create("all");
        SRunner *runner = srunner_create(s);
        int n_failed;

        tcase_add_test(t, everything_comes_back);
        tcase_add_test(t, the_least_comes_back);
        tcase_add_test(t, the_memfd_is_sealed);
        tcase_add_loop_test(t, nonsense_is_not_packed, 0, (int) ARRAY_SIZE(refused));
        tcase_add_test(t, too_big_is_not_packed);
        tcase_add_test(t, every_cut_is_refused);
        tcase_add_test(t, every_flip_is_survived);
        tcase_add_loop_test(t, packets_have_their_length, 0, (int) ARRAY_SIZE(keeper_sizes));
        tcase_add_test(t, stages_have_names);
        suite_add_tcase(s, t);
        srunner_run_all(runner, CK_NORMAL);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return n_failed > 0;
}

/* test-keeper-isolation.c - the real drover-keeper: what a worker may see and do, its limits, and who ended it. */
#include "util-keeper.h"
#include "base/fd.h"
#include <check.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define S(text) ((char *) (text))
#define BIT(cap) (UINT64_C(1) << (cap))

static Bench b;
static KeeperMessage hello;
static char *shell[] = {S("/bin/sh"), NULL};
static char out_path[160];

static void open_plain(int tree) {
        bench_open(&b, &(BenchOptions) {.tree = bench_trees[tree]});
        bench_pass_table(&b, &hello);
        ck_assert_int_eq(chmod(b.directory, 0755), 0);
        (void) snprintf(out_path, sizeof(out_path), "%s/out", b.directory);
}

static void close_plain(void) {
        (void) unlink(out_path);
        bench_close(&b);
}

/* What `sh -c @script` said on both streams, run as @s has it. NULL: it did not come that far; the end is in *ret_end. */
static const char *run(LaunchSpec *s, const char *script, KeeperMessage *ret_end) {
        static char text[8192];
        static uint64_t generation;
        char *argv[] = {S("sh"), S("-c"), S(script), NULL};
        int fd = open(out_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        KeeperMessage end;
        ssize_t n;

        ck_assert_int_eq(fchmod(fd, 0666), 0);
        s->argv = argv;
        s->candidates = shell;
        if (!s->stdio_path[1])
                s->stdio_path[1] = s->stdio_path[2] = out_path;
        bench_launch(&b, 0, ++generation, s, NULL);
        end = bench_end(&b, 0, generation);
        n = read(fd, text, sizeof(text) - 1);
        text[n > 0 ? n : 0] = '\0';
        (void) close(fd);
        if (ret_end)
                *ret_end = end;
        ck_assert_msg(ret_end || end.type == KEEPER_EXITED, "failed at %s: %s", launch_stage_to_string(end.failed.stage),
                      strerror(end.failed.error));
        return text;
}

static LaunchSpec as_nobody(void) {
        LaunchSpec s = bench_spec((char *[]) {S("x"), NULL});

        s.set_identity = true;
        s.uid = 65534;
        s.gid = 65534;
        return s;
}

/* ---- capabilities ---- */

static const char show_capabilities[] = "grep -E '^Cap' /proc/self/status | tr -d '\\t' | tr '\\n' ' '";

START_TEST(capabilities_of_another_user) {
        LaunchSpec s = as_nobody();
        char expected[256];

        open_plain(_i);
        if (getuid() != 0) {
                close_plain();
                return;
        }
        s.set_capabilities = true;
        ck_assert_str_eq(run(&s, show_capabilities, NULL),
                         "CapInh:0000000000000000 CapPrm:0000000000000000 CapEff:0000000000000000 CapBnd:0000000000000000 "
                         "CapAmb:0000000000000000 ");
        s.capabilities = BIT(CAP_NET_BIND_SERVICE);
        s.no_new_privs = true;
        (void) snprintf(expected, sizeof(expected), "CapInh:%1$016llx CapPrm:%1$016llx CapEff:%1$016llx CapBnd:%1$016llx CapAmb:%1$016llx ",
                        (unsigned long long) s.capabilities);
        ck_assert_str_eq(run(&s, show_capabilities, NULL), expected);
        close_plain();
}
END_TEST

START_TEST(capabilities_of_root) {
        LaunchSpec s = bench_spec((char *[]) {S("x"), NULL});
        char expected[256];

        open_plain(_i);
        if (getuid() != 0) {
                close_plain();
                return;
        }
        s.set_capabilities = true;
        s.capabilities = BIT(CAP_KILL) | BIT(CAP_NET_BIND_SERVICE);
        (void) snprintf(expected, sizeof(expected), "CapInh:%2$016llx CapPrm:%1$016llx CapEff:%1$016llx CapBnd:%1$016llx CapAmb:%2$016llx ",
                        (unsigned long long) s.capabilities, 0ull);
        ck_assert_str_eq(run(&s, show_capabilities, NULL), expected);
        close_plain();
}
END_TEST

START_TEST(a_capability_that_is_not_there) {
        LaunchSpec s = as_nobody();
        KeeperMessage end;

        open_plain(_i);
        s.uid = getuid() == 0 ? 65534 : getuid();
        s.gid = getuid() == 0 ? 65534 : getgid();
        s.set_capabilities = true;
        s.capabilities = BIT(63);
        (void) run(&s, "true", &end);
        ck_assert_uint_eq(end.type, KEEPER_FAILED);
        ck_assert_int_eq(end.failed.stage, LAUNCH_CAPABILITIES);
        close_plain();
}
END_TEST

/* ---- files ---- */

/* A directory of this test's own: ro/, ro/rw/, secret/, file, all writable for everybody. */
static char *place(const char *name) {
        static char paths[8][192];
        static unsigned n;
        char *path = paths[n++ % ARRAY_SIZE(paths)];

        (void) snprintf(path, sizeof(paths[0]), "%s/%s", b.directory, name);
        return path;
}

static void make_place(void) {
        static const char *const directories[] = {"ro", "ro/rw", "secret"};
        FILE *f;

        for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
                ck_assert_int_eq(mkdir(place(directories[i]), 0777), 0);
                ck_assert_int_eq(chmod(place(directories[i]), 0777), 0);
        }
        f = fopen(place("secret/word"), "we");
        ck_assert_int_ge(fputs("hidden\n", f), 0);
        (void) fclose(f);
        f = fopen(place("file"), "we");
        ck_assert_int_ge(fputs("hidden\n", f), 0);
        (void) fclose(f);
}

static void remove_place(void) {
        static const char *const files[] = {"ro/rw/new", "secret/word", "file", "new"};
        static const char *const directories[] = {"ro/rw", "ro", "secret"};

        for (size_t i = 0; i < ARRAY_SIZE(files); i++)
                (void) unlink(place(files[i]));
        for (size_t i = 0; i < ARRAY_SIZE(directories); i++)
                (void) rmdir(place(directories[i]));
}

static bool can(LaunchIsolation isolation) {
        if (isolation == LAUNCH_ISOLATION_MOUNT)
                return hello.hello.means & KEEPER_CAN_MOUNT;
        return hello.hello.landlock_abi > 0;
}

static const LaunchIsolation isolations[] = {LAUNCH_ISOLATION_MOUNT, LAUNCH_ISOLATION_LANDLOCK};

static const char look_around[] =
        "cd \"$0\" 2>/dev/null; D=$(dirname \"$DROVER_OUT\"); "
        "try() { if sh -c \"$2\" 2>/dev/null >/dev/null; then echo $1 yes; else echo $1 no; fi; }; "
        "try read-ro \"ls $D/ro\"; try write-ro \"touch $D/ro/new\"; try write-rw \"touch $D/ro/rw/new\"; "
        "try read-secret \"cat $D/secret/word\"; try write-secret \"touch $D/secret/new\"; try read-file \"cat $D/file\"; "
        "try append-file \"echo x >>$D/file\"; try null 'echo >/dev/null'; try run /bin/true";

static void isolated(LaunchSpec *s, LaunchIsolation isolation) {
        static char *ro[2], *rw[2], *hidden[4], variable[200], *env[4];

        ro[0] = place("ro");
        rw[0] = place("ro/rw");
        hidden[0] = place("secret");
        hidden[1] = place("file");
        hidden[2] = place("absent");
        s->isolation = isolation;
        s->paths[LAUNCH_PATH_READ_ONLY] = ro;
        s->paths[LAUNCH_PATH_READ_WRITE] = rw;
        s->paths[LAUNCH_PATH_INACCESSIBLE] = hidden;
        (void) snprintf(variable, sizeof(variable), "DROVER_OUT=%s", out_path);
        env[0] = S("PATH=/usr/bin:/bin");
        env[1] = variable;
        env[2] = S("DROVER_NAME=test/0");
        s->env = env;
}

/* Both ways, as root and as nobody: what is listed is so, everything else is as it was. */
START_TEST(paths_are_isolated) {
        open_plain(_i);
        make_place();
        for (size_t i = 0; i < ARRAY_SIZE(isolations); i++)
                for (int user = 0; user < 2; user++) {
                        LaunchSpec s = user || getuid() != 0 ? as_nobody() : bench_spec((char *[]) {S("x"), NULL});

                        if (!can(isolations[i]) || (user && getuid() != 0))
                                continue;
                        s.set_identity = user;
                        isolated(&s, isolations[i]);
                        ck_assert_str_eq(run(&s, look_around, NULL),
                                         "read-ro yes\nwrite-ro no\nwrite-rw yes\nread-secret no\nwrite-secret no\n"
                                         "read-file no\nappend-file no\nnull yes\nrun yes\n");
                        (void) unlink(place("ro/rw/new"));
                }
        ck_assert_int_eq(access(place("secret/word"), R_OK), 0); /* nothing of it came back to us */
        ck_assert_int_eq(access(place("ro"), W_OK), 0);
        remove_place();
        close_plain();
}
END_TEST

START_TEST(everything_read_only_but) {
        static char *root[] = {S("/"), NULL};
        static char *rw[2];

        open_plain(_i);
        for (size_t i = 0; i < ARRAY_SIZE(isolations); i++) {
                LaunchSpec s = bench_spec((char *[]) {S("x"), NULL});
                char script[512];

                if (!can(isolations[i]))
                        continue;
                rw[0] = b.directory;
                s.isolation = isolations[i];
                s.paths[LAUNCH_PATH_READ_ONLY] = root;
                s.paths[LAUNCH_PATH_READ_WRITE] = rw;
                (void) snprintf(script, sizeof(script), "touch %s/new && echo here; touch /var/tmp/drover-never 2>/dev/null || echo not there; "
                                "rm %s/new", b.directory, b.directory);
                ck_assert_str_eq(run(&s, script, NULL), "here\nnot there\n");
        }
        close_plain();
}
END_TEST

START_TEST(a_private_tmp) {
        LaunchSpec s = bench_spec((char *[]) {S("x"), NULL});
        static char *through[2];
        char script[512];

        open_plain(_i);
        if (!can(LAUNCH_ISOLATION_MOUNT)) {
                close_plain();
                return;
        }
        through[0] = b.directory; /* below /tmp itself */
        s.isolation = LAUNCH_ISOLATION_MOUNT;
        s.private_tmp = true;
        s.paths[LAUNCH_PATH_READ_WRITE] = through;
        (void) snprintf(script, sizeof(script), "ls -A /tmp /var/tmp | grep -v -e : -e '^$' | grep -cv '^%s$'; touch /tmp/mine && stat -c %%a /tmp",
                        strrchr(b.directory, '/') + 1);
        ck_assert_str_eq(run(&s, script, NULL), "0\n1777\n");
        ck_assert_int_lt(access("/tmp/mine", F_OK), 0);
        ck_assert_str_eq(run(&s, "ls /tmp/mine 2>/dev/null || echo fresh", NULL), "fresh\n");
        close_plain();
}
END_TEST

START_TEST(a_missing_path_is_said) {
        static char *absent[] = {S("/etc"), S("/nonexistent/path"), NULL};

        open_plain(_i);
        for (size_t i = 0; i < ARRAY_SIZE(isolations); i++) {
                LaunchSpec s = bench_spec((char *[]) {S("x"), NULL});
                KeeperMessage end;

                if (!can(isolations[i]))
                        continue;
                s.isolation = isolations[i];
                s.paths[LAUNCH_PATH_READ_ONLY] = absent;
                (void) run(&s, "true", &end);
                ck_assert_uint_eq(end.type, KEEPER_FAILED);
                ck_assert_int_eq(end.failed.stage, isolations[i] == LAUNCH_ISOLATION_MOUNT ? LAUNCH_MOUNT : LAUNCH_LANDLOCK);
                ck_assert_int_eq(end.failed.error, ENOENT);
                ck_assert_int_eq(end.failed.detail, LAUNCH_PATH_READ_ONLY << 16 | 1);
        }
        close_plain();
}
END_TEST

/* ---- limits ---- */

START_TEST(every_limit) {
        static const struct {
                int resource;
                const char *option;
                uint64_t value;
                const char *shown;
        } all[] = {
                {RLIMIT_CORE, "-c", 512 * 1024, "1024"}, {RLIMIT_DATA, "-d", 512 << 20, "524288"}, {RLIMIT_FSIZE, "-f", 1 << 30, "2097152"},
                {RLIMIT_MEMLOCK, "-l", 65536, "64"},     {RLIMIT_NOFILE, "-n", 100, "100"},        {RLIMIT_NPROC, "-p", 3000, "3000"},
                {RLIMIT_STACK, "-s", 4 << 20, "4096"},   {RLIMIT_CPU, "-t", 1000, "1000"},         {RLIMIT_AS, "-v", 1 << 30, "1048576"},
        };
        LaunchLimit limits[ARRAY_SIZE(all)];
        LaunchSpec s = bench_spec((char *[]) {S("x"), NULL});

        open_plain(_i);
        for (size_t i = 0; i < ARRAY_SIZE(all); i++)
                limits[i] = (LaunchLimit) {all[i].resource, {all[i].value, all[i].value}};
        s.limits = limits;
        s.n_limits = ARRAY_SIZE(all);
        for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
                char script[64], expected[32];

                (void) snprintf(script, sizeof(script), "ulimit %s", all[i].option);
                (void) snprintf(expected, sizeof(expected), "%s\n", all[i].shown);
                ck_assert_str_eq(run(&s, script, NULL), expected);
        }
        close_plain();
}
END_TEST

/* The limit is of the user, not of root who makes its first process: none more can be made. */
START_TEST(no_process_left_for_the_user) {
        LaunchLimit limit = {RLIMIT_NPROC, {0, 0}};
        LaunchSpec s = as_nobody();
        KeeperMessage end;

        open_plain(_i);
        if (getuid() != 0) {
                close_plain();
                return;
        }
        s.uid = 60000 + (uid_t) getpid() % 5000; /* nobody else runs as it */
        s.set_capabilities = true;
        s.limits = &limit;
        s.n_limits = 1;
        ck_assert_ptr_nonnull(strstr(run(&s, "/bin/true; echo never", &end), "annot fork"));
        ck_assert_uint_eq(end.type, KEEPER_EXITED);
        ck_assert_int_eq(end.exited.status, 2);
        close_plain();
}
END_TEST

static char *sleeper[] = {S("sh"), S("-c"), S("exec sleep 1000"), NULL};

static uint64_t soft_limit(pid_t pid) {
        struct rlimit l;

        ck_assert_int_eq(prlimit(pid, RLIMIT_NOFILE, NULL, &l), 0);
        return l.rlim_cur;
}

/* Of a living worker and of its child. */
START_TEST(limits_change_in_life) {
        static char *argv[] = {S("sh"), S("-c"), S("sleep 1000 & echo $! >&3; wait"), NULL};
        LaunchSpec s = bench_spec(argv);
        KeeperMessage m = bench_launch_message(0, 77, "test/0", LOG_KIND_NONE), set = {.type = KEEPER_SET_LIMITS, .generation = 77};
        struct pollfd p = {.events = POLLIN};
        char text[32] = "";
        int ends_of[2];
        pid_t child;

        open_plain(_i);
        ck_assert_int_eq(pipe2(ends_of, O_CLOEXEC), 0);
        s.candidates = shell;
        s.fd_targets[0] = 3;
        s.n_fds = 1;
        bench_launch_full(&b, &m, &s, &ends_of[1], 1);
        m = bench_wait(&b, KEEPER_STARTED, 0);
        p.fd = ends_of[0];
        ck_assert_int_eq(poll(&p, 1, 20000), 1);
        ck_assert_int_gt(read(ends_of[0], text, sizeof(text) - 1), 0);
        child = (pid_t) strtol(text, NULL, 10);
        set.limits.n = 2;
        set.limits.items[0] = (KeeperLimit) {RLIMIT_NOFILE, 123, 200};
        set.limits.items[1] = (KeeperLimit) {9999, 1, 1}; /* no such thing: passed over */
        bench_send(&b, &set, NULL, 0);
        set = (KeeperMessage) {.type = KEEPER_SET_CGROUP, .generation = 77, .cgroup = {.pids_max = 50}};
        bench_send(&b, &set, NULL, 0); /* carried out or not: nothing breaks */
        s.n_fds = 0;
        s.argv = sleeper;
        bench_launch(&b, 1, 1, &s, NULL); /* whatever comes back for it, the limits were set before */
        (void) bench_wait(&b, KEEPER_STARTED, 1);
        ck_assert_uint_eq(soft_limit(m.started.pid), 123);
        ck_assert_uint_eq(soft_limit(child), 123);
        for (uint32_t i = 0; i < 2; i++) {
                m = (KeeperMessage) {.type = KEEPER_KILL_TREE, .slot = i, .generation = i == 0 ? 77 : 1};
                bench_send(&b, &m, NULL, 0);
                ck_assert_uint_eq(bench_end(&b, i, m.generation).exited.sent, SIGKILL);
        }
        fd_close_many(ends_of, 2);
        close_plain();
}
END_TEST

/* ---- what is left ---- */

/* The directory of a process's cgroup v2, as far as one can be seen; "" else. */
static const char *leaf_of(pid_t pid) {
        static const char *const mounts[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
        static char path[1200];
        char line[1024], name[64];
        FILE *f;

        (void) snprintf(name, sizeof(name), "/proc/%d/cgroup", pid);
        f = fopen(name, "re");
        for (path[0] = '\0'; f && fgets(line, sizeof(line), f);) {
                line[strcspn(line, "\n")] = '\0';
                for (size_t i = 0; strncmp(line, "0::", 3) == 0 && i < ARRAY_SIZE(mounts); i++) {
                        (void) snprintf(path, sizeof(path), "%s%s", mounts[i], line + 3);
                        if (access(path, F_OK) == 0)
                                break;
                        path[0] = '\0';
                }
        }
        if (f)
                (void) fclose(f);
        return path;
}

/* Removing it is put off, not forgotten. */
START_TEST(empty_leaves_vanish) {
        LaunchSpec s = bench_spec(sleeper);
        char leaves[20][1200];

        open_plain(_i);
        s.candidates = shell;
        for (uint32_t i = 0; i < ARRAY_SIZE(leaves); i++) {
                KeeperMessage m = bench_launch_message(i, 1, "test/0", LOG_KIND_NONE);

                bench_launch_full(&b, &m, &s, NULL, 0);
                m = bench_wait(&b, KEEPER_STARTED, i);
                (void) snprintf(leaves[i], sizeof(leaves[i]), "%s", leaf_of(m.started.pid));
        }
        for (uint32_t i = 0; i < ARRAY_SIZE(leaves); i++) {
                KeeperMessage m = {.type = KEEPER_KILL_TREE, .slot = i, .generation = 1};

                bench_send(&b, &m, NULL, 0);
                (void) bench_end(&b, i, 1);
        }
        for (uint32_t i = 0; hello.hello.tree_mode == KEEPER_TREE_CGROUP && i < ARRAY_SIZE(leaves); i++) {
                ck_assert_ptr_nonnull(strstr(leaves[i], "test:0."));
                for (unsigned n = 0; access(leaves[i], F_OK) == 0; n++) {
                        ck_assert_msg(n < 20000, "%s is still there", leaves[i]);
                        (void) poll(NULL, 0, 1);
                }
        }
        close_plain();
}
END_TEST

/* ---- who ended it ---- */

START_TEST(a_killer_is_known) {
        static char *argv[] = {S("sh"), S("-c"), S("kill -KILL $$"), NULL};
        LaunchSpec s = bench_spec(argv);
        KeeperMessage m;

        open_plain(_i);
        s.candidates = shell;
        bench_launch(&b, 0, 1, &s, NULL);
        m = bench_end(&b, 0, 1);
        ck_assert_uint_eq(m.exited.sent, 0);
        ck_assert_int_eq(m.exited.status, SIGKILL);
        ck_assert_uint_ne(m.exited.oom, KEEPER_OOM_CGROUP);
        s.argv = sleeper;
        bench_launch(&b, 0, 2, &s, NULL);
        (void) bench_wait(&b, KEEPER_STARTED, 0);
        m = (KeeperMessage) {.type = KEEPER_SIGNAL, .generation = 2, .signal = {.number = SIGTERM}};
        bench_send(&b, &m, NULL, 0);
        m = bench_end(&b, 0, 2);
        ck_assert_uint_eq(m.exited.sent, SIGTERM);
        ck_assert_int_eq(m.exited.status, SIGTERM);
        close_plain();
}
END_TEST

int main(int argc, char **argv) {
        const KeeperCase cases[] = {
                CASE(capabilities_of_another_user),
                CASE(capabilities_of_root),
                CASE(a_capability_that_is_not_there),
                CASE(paths_are_isolated),
                CASE(everything_read_only_but),
                CASE(a_private_tmp),
                CASE(a_missing_path_is_said),
                CASE(every_limit),
                CASE(no_process_left_for_the_user),
                CASE(limits_change_in_life),
                CASE(empty_leaves_vanish),
                CASE(a_killer_is_known),
        };

        return keeper_test_main(argc, argv, "keeper-isolation", cases, ARRAY_SIZE(cases));
}

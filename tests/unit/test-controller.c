/* test-controller.c - cgroup controllers on directories of plain files: what is written, what is read at an end. The kernel's
 * own refusals (a cgroup with processes hands nothing down) are not played. */
#include "keeper/controller.h"
#include "keeper/cgroup-file.h"
#include "keeper/oom.h"
#include "base/fd.h"
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static char place[] = "/tmp/drover-controller-XXXXXX";
static int own, base, leaf;

static void put(int dir, const char *name, const char *text) {
        int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t) strlen(text));
        (void) close(fd);
}

static const char *got(int dir, const char *name) {
        static char text[512];

        return cgroup_read(dir, name, text, sizeof(text)) < 0 ? "(none)" : text;
}

static int make(int dir, const char *name) {
        int fd;

        ck_assert_int_eq(mkdirat(dir, name, 0700), 0);
        fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ck_assert_int_ge(fd, 0);
        return fd;
}

static void set_up(void) {
        static const char *const files[] = {"memory.max", "memory.high", "memory.oom.group", "cpu.max", "cpu.weight",
                                            "pids.max"};

        ck_assert_ptr_nonnull(mkdtemp(strcpy(place, "/tmp/drover-controller-XXXXXX")));
        own = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        base = make(own, "drover-1");
        leaf = make(base, "web:0.0.1");
        put(own, "cgroup.controllers", "cpuset cpu io memory hugetlb pids\n");
        put(own, "cgroup.subtree_control", "");
        put(base, "cgroup.controllers", "cpu memory pids\n");
        put(base, "cgroup.subtree_control", "");
        for (size_t i = 0; i < ARRAY_SIZE(files); i++)
                put(leaf, files[i], "");
}

static void tear_down(void) {
        char command[128];
        pid_t pid;

        (void) close(own);
        (void) close(base);
        (void) close(leaf);
        (void) snprintf(command, sizeof(command), "%s", place);
        pid = fork();
        if (pid == 0) {
                (void) execlp("rm", "rm", "-rf", command, (char *) NULL);
                _exit(1);
        }
        (void) waitpid(pid, NULL, 0);
}

/* A plain file keeps what stands behind a shorter value. */
#define ck_assert_last(dir, name, value) ck_assert_str_eq(got_last(dir, name, strlen(value)), value)

static const char *got_last(int dir, const char *name, size_t n) {
        static char text[512];

        (void) snprintf(text, sizeof(text), "%.*s", (int) n, got(dir, name));
        return text;
}

/* As in a delegated unit: not the root, and its own leaf takes the keeper. */
static void not_root(void) {
        int fd;

        put(own, "cgroup.events", "populated 1\n");
        put(own, "cgroup.procs", "");
        fd = make(own, CONTROLLER_SUPERVISOR);
        put(fd, "cgroup.procs", "");
        (void) close(fd);
}

static const struct {
        const char *text;
        unsigned bits;
} lists[] = {
        {"", 0}, {"\n", 0}, {"cpuset io hugetlb\n", 0}, {"memory", KEEPER_CONTROLLER_MEMORY},
        {"cpuset cpu io memory pids\n", CONTROLLER_ALL}, {"cpu\n", KEEPER_CONTROLLER_CPU}, {"pids memory2", KEEPER_CONTROLLER_PIDS},
};

START_TEST(lists_of_controllers) {
        ck_assert_uint_eq(controllers_parse(lists[_i].text), lists[_i].bits);
}
END_TEST

START_TEST(the_root_hands_down_at_once) {
        Controllers c;

        controllers_open(&c, own, base, "no matter");
        ck_assert_uint_eq(c.on, CONTROLLER_ALL);
        ck_assert_uint_eq(c.handed, CONTROLLER_ALL & ~KEEPER_CONTROLLER_CPU);
        ck_assert(!c.has_moved);
        ck_assert_str_eq(c.reason, "");
        ck_assert_last(base, "cgroup.subtree_control", "+pids");
}
END_TEST

START_TEST(the_keeper_makes_room) {
        Controllers c;

        not_root();
        controllers_open(&c, own, base, NULL);
        ck_assert_uint_eq(c.on, CONTROLLER_ALL);
        ck_assert(c.has_moved);
        ck_assert_str_eq(got(own, CONTROLLER_SUPERVISOR "/cgroup.procs"), "0");
        controllers_close(&c, own, base);
        ck_assert_str_eq(got(own, "cgroup.procs"), "0");
        ck_assert_last(base, "cgroup.subtree_control", "-cpu");
        ck_assert_uint_eq(c.on, 0);
}
END_TEST

START_TEST(what_may_not_be_is_said) {
        Controllers c;

        not_root();
        controllers_open(&c, own, base, "others are here");
        ck_assert_uint_eq(c.on, 0);
        ck_assert_str_eq(c.reason, "no memory, pids, cpu: others are here");
        ck_assert_str_eq(got(own, "cgroup.procs"), "");
        put(own, "cgroup.controllers", "hugetlb\n");
        controllers_open(&c, own, base, NULL);
        ck_assert_ptr_nonnull(strstr(c.reason, "in use by v1"));
        put(own, "cgroup.controllers", "pids\n");
        controllers_open(&c, own, base, NULL);
        ck_assert_uint_eq(c.on, KEEPER_CONTROLLER_PIDS);
        ck_assert_ptr_nonnull(strstr(c.reason, "no memory, cpu: "));
}
END_TEST

START_TEST(a_unit_without_delegation_is_left_alone) {
        not_root();
        (void) setenv("INVOCATION_ID", "1", 1);
        ck_assert_ptr_nonnull(strstr(controllers_why_not_move(own), "Delegate=yes"));
        (void) unsetenv("INVOCATION_ID");
        ck_assert_ptr_nonnull(strstr(controllers_why_not_move(own), "other processes"));
        if (fsetxattr(own, "user.delegate", "1", 1, 0) == 0) /* not every file system has them */
                ck_assert_ptr_null(controllers_why_not_move(own));
}
END_TEST

START_TEST(values_are_written) {
        Controllers c = {.on = CONTROLLER_ALL, .handed = CONTROLLER_ALL & ~KEEPER_CONTROLLER_CPU};
        KeeperCgroup v = {.memory_max = 64 << 20, .memory_high = UINT64_MAX, .cpu_max = 150000, .cpu_weight = 50};

        controller_prepare(&c, leaf);
        ck_assert_str_eq(got(leaf, "memory.oom.group"), "1");
        ck_assert_int_eq(controller_set(&c, base, leaf, &v), 0);
        ck_assert_str_eq(got(leaf, "memory.max"), "67108864");
        ck_assert_str_eq(got(leaf, "memory.high"), "max");
        ck_assert_str_eq(got(leaf, "cpu.max"), "150000 100000");
        ck_assert_str_eq(got(leaf, "cpu.weight"), "50");
        ck_assert_str_eq(got(leaf, "pids.max"), "");
        ck_assert_uint_eq(c.handed, CONTROLLER_ALL); /* cpu with the first wish for it */
        v = (KeeperCgroup) {.cpu_max = UINT64_MAX, .pids_max = 12};
        ck_assert_int_eq(controller_set(&c, base, leaf, &v), 0);
        ck_assert_last(leaf, "cpu.max", "max 100000");
        ck_assert_str_eq(got(leaf, "pids.max"), "12");
}
END_TEST

START_TEST(absent_controllers_are_passed_over) {
        Controllers c = {.on = KEEPER_CONTROLLER_PIDS, .handed = KEEPER_CONTROLLER_PIDS};
        KeeperCgroup v = {.memory_max = 1 << 20, .cpu_weight = 50, .pids_max = 5};
        KeeperExit e = {};

        ck_assert_int_eq(controller_set(&c, base, leaf, &v), 0);
        ck_assert_str_eq(got(leaf, "memory.max"), "");
        ck_assert_str_eq(got(leaf, "pids.max"), "5");
        put(leaf, "memory.events", "oom_kill 1\n");
        controller_account(&c, leaf, &e);
        ck_assert_uint_eq(e.oom, KEEPER_OOM_NO);
        (void) unlinkat(leaf, "pids.max", 0);
        ck_assert_int_eq(controller_set(&c, base, leaf, &v), -ENOENT);
}
END_TEST

static const struct {
        const char *events, *max, *peak;
        KeeperOom oom;
        uint64_t limit, known_peak;
} ends[] = {
        {"low 0\nhigh 0\nmax 12\noom 1\noom_kill 1\noom_group_kill 1\n", "67108864\n", "67100672\n", KEEPER_OOM_CGROUP, 67108864, 67100672},
        {"low 0\nhigh 0\nmax 12\noom 1\noom_kill 0\n", "67108864\n", "67100672\n", KEEPER_OOM_NO, 67108864, 67100672},
        {"oom_kill 3\n", "max\n", NULL, KEEPER_OOM_CGROUP, 0, 0},
        {NULL, NULL, NULL, KEEPER_OOM_NO, 0, 0},
        {"", "nonsense\n", "\n", KEEPER_OOM_NO, 0, 0},
};

START_TEST(an_end_is_read) {
        Controllers c = {.on = CONTROLLER_ALL, .handed = CONTROLLER_ALL};
        KeeperExit e = {};

        if (ends[_i].events)
                put(leaf, "memory.events", ends[_i].events);
        if (ends[_i].max)
                put(leaf, "memory.max", ends[_i].max);
        if (ends[_i].peak)
                put(leaf, "memory.peak", ends[_i].peak);
        controller_account(&c, leaf, &e);
        ck_assert_uint_eq(e.oom, ends[_i].oom);
        ck_assert_uint_eq(e.memory_limit, ends[_i].limit);
        ck_assert_uint_eq(e.memory_peak, ends[_i].known_peak);
}
END_TEST

START_TEST(everything_is_switched_off_again) {
        put(base, "cgroup.subtree_control", "x");
        put(leaf, "cgroup.subtree_control", "x");
        controllers_off_below(own, 0);
        ck_assert_last(own, "cgroup.subtree_control", "-cpu");
        ck_assert_last(base, "cgroup.subtree_control", "-cpu");
        ck_assert_last(leaf, "cgroup.subtree_control", "-cpu");
}
END_TEST

START_TEST(the_kernels_count) {
        OomWatch o;
        uint64_t n = 77;

        ck_assert_int_eq(oom_parse("a 1\noom_kill 12\nb 3\n", &n), 0);
        ck_assert_uint_eq(n, 12);
        ck_assert_int_eq(oom_parse("oom_kill 0\n", &n), 0);
        ck_assert_int_eq(oom_parse("a 1\nx_oom_kill 12\n", &n), -ENOENT);
        oom_watch_open(&o);
        if (!o.is_there)
                return;
        o.n++; /* as if none had happened since */
        ck_assert(!oom_watch_look(&o, USEC_PER_SEC));
        o.n = 0;
        ck_assert(!oom_watch_look(&o, USEC_PER_SEC + 1)); /* too early for another look */
}
END_TEST

int main(void) {
        Suite *s = suite_create("controller");
        TCase *t = tcase_create("all");
        SRunner *runner = srunner_create(s);
        int n_failed;

        tcase_add_checked_fixture(t, set_up, tear_down);
        tcase_add_loop_test(t, lists_of_controllers, 0, (int) ARRAY_SIZE(lists));
        tcase_add_test(t, the_root_hands_down_at_once);
        tcase_add_test(t, the_keeper_makes_room);
        tcase_add_test(t, what_may_not_be_is_said);
        tcase_add_test(t, a_unit_without_delegation_is_left_alone);
        tcase_add_test(t, values_are_written);
        tcase_add_test(t, absent_controllers_are_passed_over);
        tcase_add_loop_test(t, an_end_is_read, 0, (int) ARRAY_SIZE(ends));
        tcase_add_test(t, everything_is_switched_off_again);
        tcase_add_test(t, the_kernels_count);
        suite_add_tcase(s, t);
        srunner_run_all(runner, CK_NORMAL);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return n_failed > 0;
}

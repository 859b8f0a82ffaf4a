/* test-resolve.c - users, groups, and the number of CPUs under quotas. */
#include "base/alloc.h"
#include "base/file.h"
#include "config/resolve.h"
#include <check.h>
#include <stdio.h>
#include <unistd.h>

START_TEST(accounts_are_found_strictly) {
        static const struct {
                const char *text;
                int r;
        } cases[] = {
                { "root", 0 },     { "0", 0 },          { "daemon", 0 },      { "1", 0 },
                { "00", -EINVAL }, { "+0", -EINVAL },   { " 0", -EINVAL },    { "0 ", -EINVAL },
                { "", -EINVAL },   { "-1", -EINVAL },   { "0x0", -EINVAL },   { "0day", -EINVAL },
                { "ro ot", -EINVAL }, { "root\n", -EINVAL }, { "root:0", -EINVAL }, { "4294967295", -EINVAL },
                { "18446744073709551616", -EINVAL }, { "4294967294", -ESRCH }, { "nobody-here", -ESRCH },
        };
        _cleanup_account_ Account a = { 0 };
        gid_t gid = 77;

        ck_assert_int_eq(resolve_user(cases[_i].text, &a), cases[_i].r);
        ck_assert_int_eq(resolve_group(cases[_i].text, &gid), cases[_i].r);
        if (cases[_i].r < 0) {
                ck_assert_ptr_null(a.name);
                ck_assert_uint_eq(gid, 77);
        } else
                ck_assert_uint_eq(a.uid, gid);
}
END_TEST

START_TEST(groups_are_sorted_without_doubles) {
        gid_t groups[] = { 5, 1, 5, 3, 1 };
        _cleanup_free_ gid_t *found = NULL;
        size_t n = 0;

        ck_assert_uint_eq(resolve_sort_groups(groups, 5), 3);
        ck_assert_uint_eq(groups[0], 1);
        ck_assert_uint_eq(groups[1], 3);
        ck_assert_uint_eq(groups[2], 5);
        ck_assert_uint_eq(resolve_sort_groups(NULL, 0), 0);
        ck_assert_int_eq(resolve_groups("daemon", 1, &found, &n), 0);
        ck_assert_uint_ge(n, 1);
        ck_assert_uint_eq(found[0], 1);
}
END_TEST

START_TEST(an_own_uid_without_account_has_a_plain_home) {
        const Account *a = NULL;

        ck_assert_int_eq(resolve_own(3999999999u, &a), 0);
        ck_assert_str_eq(a->name, "3999999999");
        ck_assert_str_eq(a->home, "/");
        ck_assert_int_eq(resolve_own(0, &a), 0);
        ck_assert_str_eq(a->name, "root");
        resolve_forget();
}
END_TEST

START_TEST(what_is_remembered_is_the_same) {
        _cleanup_account_ Account first = { 0 }, second = { 0 }, third = { 0 };
        _cleanup_free_ gid_t *groups = NULL, *again = NULL, *other = NULL;
        size_t n = 0, n_again = 0, n_other = 0;

        resolve_remember(true);
        ck_assert_int_eq(resolve_user("daemon", &first), 0);
        ck_assert_int_eq(resolve_user("daemon", &second), 0);
        ck_assert_int_eq(resolve_uid(1, &third), 0);
        ck_assert_str_eq(second.home, first.home);
        ck_assert_str_eq(third.shell, first.shell);
        ck_assert_int_eq(resolve_groups("daemon", 1, &groups, &n), 0);
        ck_assert_int_eq(resolve_groups("daemon", 1, &again, &n_again), 0);
        ck_assert_uint_eq(n, n_again);
        ck_assert_mem_eq(groups, again, n * sizeof(gid_t));
        ck_assert_int_eq(resolve_groups("daemon", 7, &other, &n_other), 0);
        ck_assert_uint_eq(other[n_other - 1], 7);
        resolve_remember(false);
}
END_TEST

static const struct {
        const char *cgroup;      /* /proc/self/cgroup */
        const char *files[6][2]; /* below the root */
        unsigned affinity, cpus;
} cpu_cases[] = {
        { NULL, { { NULL } }, 4, 4 },
        { "0::/\n", { { NULL } }, 4, 4 },
        { "0::/\n", { { "sys/fs/cgroup/cpu.max", "max 100000\n" } }, 4, 4 },
        { "0::/\n", { { "sys/fs/cgroup/cpu.max", "200000 100000\n" } }, 4, 2 },
        { "0::/\n", { { "sys/fs/cgroup/cpu.max", "150000 100000\n" } }, 4, 2 },
        { "0::/\n", { { "sys/fs/cgroup/cpu.max", "10000 100000\n" } }, 4, 1 },
        { "0::/\n", { { "sys/fs/cgroup/cpu.max", "900000 100000\n" } }, 4, 4 },
        { "0::/\n", { { "sys/fs/cgroup/cpu.max", "rubbish\n" } }, 3, 3 },
        { "0::/a/b\n",
          { { "sys/fs/cgroup/a/cpu.max", "300000 100000\n" }, { "sys/fs/cgroup/a/b/cpu.max", "max 100000\n" } },
          8,
          3 },
        { "0::/a/b\n",
          { { "sys/fs/cgroup/a/cpu.max", "300000 100000\n" }, { "sys/fs/cgroup/a/b/cpu.max", "200000 100000\n" } },
          8,
          2 },
        { "0::/../x\n", { { "sys/fs/cgroup/cpu.max", "200000 100000\n" } }, 8, 2 },
        { "4:cpu,cpuacct:/x\n0::/\n",
          { { "sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "250000\n" }, { "sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "100000\n" } },
          8,
          3 },
        { "4:cpuset:/x\n",
          { { "sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "250000\n" }, { "sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "100000\n" } },
          8,
          8 },
        { "4:cpu:/x\n",
          { { "sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "-1\n" }, { "sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "100000\n" } },
          8,
          8 },
        { "nonsense\n::\n", { { NULL } }, 2, 2 },
};

static void put(const char *root, const char *name, const char *text) {
        _cleanup_free_ char *path = alloc_printf("%s/%s", root, name), *dir = alloc_strdup(path);

        *strrchr(dir, '/') = 0;
        ck_assert_int_eq(dir_make(dir, 0755), 0);
        ck_assert_int_eq(file_write_atomic(path, text, strlen(text), 0644), 0);
}

/* Files first, then their directories as far as they are empty. */
static void drop(const char *root, const char *name) {
        _cleanup_free_ char *path = alloc_printf("%s/%s", root, name);

        (void) unlink(path);
        for (*strrchr(path, '/') = 0; strlen(path) > strlen(root) && rmdir(path) == 0;)
                *strrchr(path, '/') = 0;
}

START_TEST(cpus_are_the_smallest_of_mask_and_quotas) {
        char root[] = "/tmp/drover-test-resolve-XXXXXX";

        ck_assert_ptr_nonnull(mkdtemp(root));
        if (cpu_cases[_i].cgroup)
                put(root, "proc/self/cgroup", cpu_cases[_i].cgroup);
        for (size_t i = 0; cpu_cases[_i].files[i][0]; i++)
                put(root, cpu_cases[_i].files[i][0], cpu_cases[_i].files[i][1]);
        ck_assert_uint_eq(resolve_cpus_at(root, cpu_cases[_i].affinity), cpu_cases[_i].cpus);
        for (size_t i = 0; cpu_cases[_i].files[i][0]; i++)
                drop(root, cpu_cases[_i].files[i][0]);
        drop(root, "proc/self/cgroup");
        ck_assert_int_eq(rmdir(root), 0);
}
END_TEST

START_TEST(there_is_always_a_cpu) {
        ck_assert_uint_ge(resolve_cpus(), 1);
        ck_assert_uint_eq(resolve_cpus_at("/nonexistent", 0), 1);
}
END_TEST

int main(void) {
        Suite *s = suite_create("resolve");
        TCase *t = tcase_create("resolve");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_add_loop_test(t, accounts_are_found_strictly, 0, 19);
        tcase_add_test(t, groups_are_sorted_without_doubles);
        tcase_add_test(t, what_is_remembered_is_the_same);
        tcase_add_test(t, an_own_uid_without_account_has_a_plain_home);
        tcase_add_loop_test(t, cpus_are_the_smallest_of_mask_and_quotas, 0, ARRAY_SIZE(cpu_cases));
        tcase_add_test(t, there_is_always_a_cpu);
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}

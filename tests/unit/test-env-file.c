/* test-env-file.c - KEY=value lines. */
#include "base/alloc.h"
#include "config/env-file.h"
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
        const char *line, *key, *value; /* NULL: nothing there */
        int column;                     /* of the fault; 0: none */
} cases[] = {
        { "A=1", "A", "1", 0 },
        { "A=", "A", "", 0 },
        { "  A=1  \r", "A", "1", 0 },
        { "A= 1", "A", "1", 0 },
        { "A=b=c", "A", "b=c", 0 },
        { "A=a b # c", "A", "a b # c", 0 },
        { "export A=1", "A", "1", 0 },
        { "exported=1", "exported", "1", 0 },
        { "A='a \\ \" $b'", "A", "a \\ \" $b", 0 },
        { "A=\"a \\\"b\\\" \\\\ \\$x \\n\\t\\q\"", "A", "a \"b\" \\ $x \n\t\\q", 0 },
        { "A=\"\"", "A", "", 0 },
        { "A='x' # comment", "A", "x", 0 },
        { "", NULL, NULL, 0 },
        { "   ", NULL, NULL, 0 },
        { "# A=1", NULL, NULL, 0 },
        { "; A=1", NULL, NULL, 0 },
        { "A", NULL, NULL, 1 },
        { "=1", NULL, NULL, 1 },
        { "A =1", NULL, NULL, 3 },
        { "A='x", NULL, NULL, 3 },
        { "A=\"x\\\"", NULL, NULL, 3 },
        { "A='x'y", NULL, NULL, 6 },
};

typedef struct Seen {
        char key[64], value[64];
        int n, line, column, fault_line;
} Seen;

static int add(const char *key, const char *value, int line, void *userdata) {
        Seen *s = userdata;

        snprintf(s->key, sizeof(s->key), "%s", key);
        snprintf(s->value, sizeof(s->value), "%s", value);
        s->line = line;
        s->n++;
        return 0;
}

static void report(const EnvFileFault *fault, void *userdata) {
        Seen *s = userdata;

        s->column = fault->column;
        s->fault_line = fault->line;
}

START_TEST(lines_are_variables_comments_or_faults) {
        _cleanup_free_ char *text = alloc_printf("\n%s\n", cases[_i].line);
        Seen s = { 0 };

        ck_assert_int_eq(env_file_parse(text, add, report, &s), 0);
        ck_assert_int_eq(s.n, cases[_i].key ? 1 : 0);
        ck_assert_int_eq(s.column, cases[_i].column);
        ck_assert_int_eq(s.fault_line, cases[_i].column ? 2 : 0);
        if (cases[_i].key) {
                ck_assert_str_eq(s.key, cases[_i].key);
                ck_assert_str_eq(s.value, cases[_i].value);
                ck_assert_int_eq(s.line, 2);
        }
}
END_TEST

static int refuse(const char *key, const char *value, int line, void *userdata) {
        return -ENOMEM;
}

START_TEST(an_error_of_the_receiver_ends_it) {
        char text[] = "A=1\nB=2";
        ck_assert_int_eq(env_file_parse(text, refuse, report, NULL), -ENOMEM);
}
END_TEST

/* ---- whose file it is ---- */

#define BOB 12345

static char directory[] = "/tmp/drover-test-env-XXXXXX";

static char *write_at(const char *name, const char *text, uid_t owner) {
        char *path = alloc_printf("%s/%s", directory, name);
        FILE *f = fopen(path, "w");

        ck_assert_ptr_nonnull(f);
        ck_assert_int_ge(fputs(text, f), 0);
        ck_assert_int_eq(fclose(f), 0);
        ck_assert_int_eq(chmod(path, 0600), 0);
        ck_assert_int_eq(chown(path, owner, owner), 0);
        return path;
}

static int read_as_bob(const char *path) {
        _cleanup_free_ char *text = NULL;
        EnvFileFault fault = { 0 };

        return env_file_read(path, 0, BOB, &text, &fault);
}

/* Bob's pool is started by root, which can read more than he. What he puts into his directory is his. */
START_TEST(a_user_reads_nothing_of_roots) {
        if (geteuid() != 0)
                return;
        ck_assert_ptr_nonnull(mkdtemp(directory));
        _cleanup_free_ char *secret = write_at("secret", "KEY=1\n", 0), *home = alloc_printf("%s/home", directory);
        ck_assert_int_eq(mkdir(home, 0755), 0);
        ck_assert_int_eq(chmod(directory, 0755), 0);
        ck_assert_int_eq(chown(home, BOB, BOB), 0);
        _cleanup_free_ char *given = write_at("home/given", "A=1\n", 0), *his = write_at("home/his", "A=1\n", BOB);
        _cleanup_free_ char *link = alloc_printf("%s/link", home), *hard = alloc_printf("%s/hard", home);
        _cleanup_free_ char *through = alloc_printf("%s/up/secret", home), *up = alloc_printf("%s/up", home);
        _cleanup_free_ char *roots = alloc_printf("%s/roots", directory);

        ck_assert_int_eq(symlink(secret, link), 0);
        ck_assert_int_eq(lchown(link, BOB, BOB), 0);
        ck_assert_int_eq(symlink(directory, up), 0);
        ck_assert_int_eq(symlink(secret, roots), 0);
        ck_assert_int_eq(read_as_bob(secret), 0);
        ck_assert_int_eq(read_as_bob(roots), 0);
        ck_assert_int_eq(read_as_bob(given), 0);
        ck_assert_int_eq(read_as_bob(his), 0);
        ck_assert_int_eq(read_as_bob(link), -EBADMSG);
        ck_assert_int_eq(read_as_bob(through), -EBADMSG);
        ck_assert_int_eq(linkat(AT_FDCWD, secret, AT_FDCWD, hard, 0), 0);
        ck_assert_int_eq(read_as_bob(hard), -EBADMSG);
        const char *all[] = { hard, link, up, roots, given, his, secret };
        for (size_t i = 0; i < ARRAY_SIZE(all); i++)
                ck_assert_int_eq(unlink(all[i]), 0);
        ck_assert_int_eq(rmdir(home), 0);
        ck_assert_int_eq(rmdir(directory), 0);
}
END_TEST

int main(void) {
        Suite *s = suite_create("env-file");
        TCase *t = tcase_create("env-file");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_add_loop_test(t, lines_are_variables_comments_or_faults, 0, ARRAY_SIZE(cases));
        tcase_add_test(t, an_error_of_the_receiver_ends_it);
        tcase_add_test(t, a_user_reads_nothing_of_roots);
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}

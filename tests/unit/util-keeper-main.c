/* util-keeper-main.c - the roles of a test program of the keeper, and its main(). See util-keeper.h. */
#include "util-keeper.h"
#include "base/alloc.h"
#include "base/fd.h"
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

const char *const bench_trees[BENCH_TREES] = {NULL, "sweep"};

static char program[4096];

const char *test_program(void) {
        return program;
}

static int connect_to(const char *path) {
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

        (void) snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
        return fd >= 0 && connect(fd, (struct sockaddr *) &a, sizeof(a)) == 0 ? fd : -1;
}

_noreturn_ static void act_as_program(char role) {
        const char *path = getenv("DROVER_TEST_SOCKET"), *line = getenv("DROVER_KEEPER_FD");
        int control = path ? connect_to(path) : -1, fd = line ? atoi(line) : -1;
        Greeting g = {.role = role, .pid = getpid()};
        unsigned char code;

        if (control < 0 || fd < 0 || packet_send(control, &g, sizeof(g), &fd, 1) < 0)
                _exit(99);
        if (recv(control, &code, 1, 0) != 1)
                _exit(98);
        _exit(code);
}

/* Verbs of a worker: each one property of a process, nothing more. */
_noreturn_ static void act_as_worker(int argc, char **argv) {
        const char *verb = argc > 1 ? argv[1] : "", *value = argc > 2 ? argv[2] : "0";
        char byte;

        if (streq(verb, "exit"))
                _exit(atoi(value));
        if (streq(verb, "die"))
                (void) kill(getpid(), atoi(value));
        if (streq(verb, "exit-after")) /* when descriptor 5 is at its end */
                _exit(read(5, &byte, 1) == 0 ? atoi(value) : 97);
        if (streq(verb, "daemonize") || streq(verb, "escape")) {
                int said[2];

                if (pipe(said) < 0)
                        _exit(96);
                if (fork() == 0) {
                        (void) setsid();
                        if (fork() == 0) {
                                dprintf(3, "%d\n", getpid());
                                (void) close(3);
                                (void) close(said[0]);
                                (void) close(said[1]);
                                for (;;)
                                        (void) pause();
                        }
                        _exit(0);
                }
                (void) wait(NULL);
                (void) close(said[1]);
                if (read(said[0], &byte, 1) != 0)
                        _exit(95);
                if (streq(verb, "daemonize"))
                        _exit(7);
        }
        if (streq(verb, "ready"))
                dprintf(4, "x\n");
        if (streq(verb, "say"))
                dprintf(1, "%s\n", value);
        for (;;)
                (void) pause();
}

static void act(int argc, char **argv) {
        ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

        program[n > 0 ? n : 0] = '\0';
        if (streq(argv[0], "droverd"))
                act_as_program('d');
        if (streq(argv[0], "drover-logger"))
                act_as_program('l');
        if (streq(argv[0], "worker"))
                act_as_worker(argc, argv);
}

int keeper_test_main(int argc, char **argv, const char *name, const KeeperCase *cases, size_t n_cases) {
        Suite *s;
        SRunner *runner;
        int n_failed;

        act(argc, argv);
        if (!getenv("DROVER_KEEPER")) {
                (void) fputs("DROVER_KEEPER must name the program\n", stderr);
                return 77;
        }
        s = suite_create(name);
        for (size_t i = 0; i < n_cases; i++) {
                TCase *t = tcase_create(cases[i].name);

                tcase_set_timeout(t, 60);
                tcase_add_loop_test(t, cases[i].test, 0, BENCH_TREES);
                suite_add_tcase(s, t);
        }
        runner = srunner_create(s);
        srunner_run_all(runner, CK_NORMAL);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return n_failed > 0;
}

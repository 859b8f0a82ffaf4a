/* util-keeper.h - the real drover-keeper, with the test itself in the places of droverd and the logger.
 *
 * The test program is given to the keeper as --droverd and --logger. Started in those roles it passes its line
 * to the test over a socket and waits: for a byte (its exit code), for the end, or for a signal. So the test
 * reads and writes the very lines the keeper made, and can kill their owners. */
#ifndef DROVER_TEST_UTIL_KEEPER_H
#define DROVER_TEST_UTIL_KEEPER_H

#include "link/keeper-protocol.h"
#include "link/launch-request.h"
#include "link/logger-protocol.h"
#include "base/clock.h"
#include <check.h>
#include <sys/types.h>

typedef struct Life {
        pid_t pid;
        int control; /* one byte: exit with it */
        int line;    /* its SEQPACKET socket */
} Life;

#define BENCH_TEMPLATE_SLOT 0
#define BENCH_TEMPLATE_FD 3 /* its socket to the keeper */
#define BENCH_BORN_MAX 64 /* spares are in slots below this */

typedef struct Bench {
        char directory[64];
        int listen_fd;
        pid_t keeper;
        Life droverd, logger;
        KeeperMessage *seen; /* notices that came while another one was awaited */
        size_t n_seen, seen_capacity;
        bool is_logger_real; /* this test answers the logger's line itself otherwise: DETACHED at once */
        int peer_fd, scratch_fd;
        int quiet_fd;                 /* of this life of droverd */
        int born_fds[BENCH_BORN_MAX]; /* by slot: where its spare waits; -EBADF */
} Bench;

typedef struct BenchOptions {
        const char *tree;      /* $DROVER_TREE */
        uint64_t n_fds;        /* hard limit of descriptors; 0: as is */
        uint64_t watchdog_usec;
        void (*before_exec)(void); /* in the keeper's process */
} BenchOptions;

/* What the program says first over the test's socket, its line to the keeper with it. */
typedef struct Greeting {
        char role; /* 'd' or 'l' */
        pid_t pid;
} Greeting;

typedef struct KeeperCase {
        const char *name;
        const TTest *test;
} KeeperCase;

#define CASE(f) {#f, f}

/* Both ways of holding trees: each case runs in either, told by _i. */
#define BENCH_TREES 2
extern const char *const bench_trees[BENCH_TREES];

/**
 * keeper_test_main() - all of main(): the exit code, 77 when $DROVER_KEEPER is missing
 *
 * Started as droverd, logger or worker it acts as that and does not return. Each case is one of libcheck, too:
 * CK_RUN_CASE=name runs one.
 */
int keeper_test_main(int argc, char **argv, const char *name, const KeeperCase *cases, size_t n_cases);

void bench_open(Bench *b, const BenchOptions *o);
void bench_close(Bench *b); /* QUIT; the keeper must end with 0 and leave nothing */
int bench_wait_keeper(Bench *b); /* its wait status */
void bench_meet_droverd(Bench *b); /* wait for the next life */
void bench_meet_logger(Bench *b);
void bench_pass_table(Bench *b, KeeperMessage *ret_hello);

KeeperMessage bench_wait(Bench *b, uint32_t type, uint32_t slot);
void bench_pump(Bench *b); /* one more notice into the seen ones */
bool bench_has_seen(const Bench *b, uint32_t type, uint32_t slot);
LoggerMessage bench_wait_logger(Bench *b, uint32_t type, int *ret_fds, size_t max_fds, size_t *ret_n_fds);
void bench_send(Bench *b, KeeperMessage *m, const int *fds, size_t n_fds);
void bench_detach(Bench *b, uint32_t slot, uint64_t generation);

/* A launch of @argv with defaults; @spec may be NULL. */
void bench_launch(Bench *b, uint32_t slot, uint64_t generation, const LaunchSpec *spec, char **argv);
void bench_launch_full(Bench *b, KeeperMessage *m, const LaunchSpec *spec, const int *fds, size_t n_fds);
/** bench_launch_template() - this test as "template", acting in that manner, in BENCH_TEMPLATE_SLOT; until it is ready */
void bench_launch_template(Bench *b, uint64_t generation, const char *manner);
LaunchSpec bench_spec(char **argv);
KeeperMessage bench_launch_message(uint32_t slot, uint64_t generation, const char *name, uint32_t kind);
/** bench_end() - wait for EXITED or FAILED, DRAINED, and acknowledge. The end's message. */
KeeperMessage bench_end(Bench *b, uint32_t slot, uint64_t generation);

const char *test_program(void);
/** test_wait_gone() - until the process is no more (it may be anybody's child). */
bool test_wait_gone(pid_t pid);

#endif

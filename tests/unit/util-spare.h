/* util-spare.h - one keeper with one template in BENCH_TEMPLATE_SLOT, and what droverd does to have and use spares of it. */
#ifndef DROVER_TEST_UTIL_SPARE_H
#define DROVER_TEST_UTIL_SPARE_H

#include "util-keeper.h"

extern Bench b;
extern uint64_t generation; /* of the last launch; none has that of another one */
extern uint64_t template_generation;

/* What a spare that is used does not live to begin, by the text it is used with. */
typedef struct SpareFailure {
        const char *text;
        LaunchStage stage;
        int error;
} SpareFailure;
#define SPARE_FAILURES 3
extern const SpareFailure spare_failures[SPARE_FAILURES];

/** spare_test_main() - as keeper_test_main(), for a program that is started as its template, too */
int spare_test_main(int argc, char **argv, const char *name, const KeeperCase *cases, size_t n_cases);

void open_with(int tree, const char *manner); /* see template_act() */
KeeperMessage of_template(uint32_t type, uint32_t slot, uint64_t g, uint32_t kind);
/** launch_with() - a launch of its own, with spares in the slots @first and following
 *  Return: its generation; those of the spares come after it. */
uint64_t launch_with(uint32_t slot, const char *text, uint32_t first, unsigned n);
/** spare_in() - one spare in @slot, whatever became of the launch it came with. Return: its generation. */
uint64_t spare_in(uint32_t slot);
void use_as(uint32_t slot, uint64_t g, const char *text, uint32_t kind, uint32_t flags);
void use(uint32_t slot, uint64_t g, const char *text);
void kill_tree(uint32_t slot, uint64_t g);
void await_drained(uint32_t slot); /* playing the logger */
KeeperMessage end_of(uint32_t slot, uint64_t g);
void expect_exit(uint32_t slot, uint64_t g, int status);
void expect_failure(uint32_t slot, uint64_t g, LaunchStage stage, int error); /* and it never started */

#endif

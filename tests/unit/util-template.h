/* util-template.h - a template as any language can be one, which forks twice, and its spares. */
#ifndef DROVER_TEST_UTIL_TEMPLATE_H
#define DROVER_TEST_UTIL_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/**
 * template_act() - be one; does not return
 * @manner: "fork" each at once; "hold" spares until a launch says "release", or "drop"; "refuse" spares; "unable" to make any
 *
 * A launch is an exit code. A spare may be asked for one, too; for "stay", "ready" (and stay), "talk" (to its stdout, ready, and stay), "out TEXT" to its stdout; to be
 * "stale", to "fail", to be "deaf"; or for one of TEMPLATE_SPOILERS, after which nobody shall have its leaf.
 */
__attribute__((noreturn)) void template_act(const char *manner);

#define TEMPLATE_SPOILERS {"below", "behind", "killed"}

/** template_leaf() - the directory of a process's cgroup; false: it has none of drover's. */
bool template_leaf(pid_t pid, char *buf, size_t size);

#endif

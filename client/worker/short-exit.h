/* short-exit.h - exit(3) of a process that a template forked, without the walk through libraries that have nothing to do there. */
#ifndef DROVER_WORKER_SHORT_EXIT_H
#define DROVER_WORKER_SHORT_EXIT_H

/** short_exit_prepare() - the first thing in main(): what is registered from now on is called before exit(3) is cut short. */
void short_exit_prepare(void);
/**
 * short_exit_allow() - in a template, with everything loaded: for the processes that it forks
 * Nothing changes where a library has a destructor, or another is loaded later.
 */
void short_exit_allow(void);

#endif

/* oom.h - did this machine just kill something for want of memory? */
#ifndef DROVER_KEEPER_OOM_H
#define DROVER_KEEPER_OOM_H

#include "base/clock.h"
#include "base/macro.h"

/* The kernel counts its out-of-memory kills in /proc/vmstat, of the whole machine and of any cgroup of any version. */
typedef struct OomWatch {
        bool is_there;
        uint64_t n;          /* at the last look */
        usec_t looked_usec;  /* CLOCK_MONOTONIC */
        bool has_grown;      /* at the last look */
} OomWatch;

void oom_watch_open(OomWatch *o);
/** oom_watch_look() - has the count grown since the look before this one? Reads at most every 100 ms. */
bool oom_watch_look(OomWatch *o, usec_t now_usec);
/** oom_parse() - the counter in the text of /proc/vmstat. -ENOENT: it is not there (before Linux 4.13). */
int oom_parse(const char *text, uint64_t *ret);

#endif

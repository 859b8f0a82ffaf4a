/* oom.c - the kernel's count of out-of-memory kills. See oom.h. */
#include "keeper/oom.h"
#include "keeper/cgroup-file.h"
#include <fcntl.h>
#include <stdlib.h>

#define VMSTAT_MAX 16384
#define LOOK_USEC (100 * USEC_PER_MSEC)

int oom_parse(const char *text, uint64_t *ret) {
        const char *p = strncmp(text, "oom_kill ", 9) == 0 ? text : strstr(text, "\noom_kill ");

        if (!p)
                return -ENOENT;
        *ret = strtoull(strchr(p, ' ') + 1, NULL, 10);
        return 0;
}

static int read_count(uint64_t *ret) {
        static char text[VMSTAT_MAX];
        ssize_t n = cgroup_read(AT_FDCWD, "/proc/vmstat", text, sizeof(text));

        return n < 0 ? (int) n : oom_parse(text, ret);
}

void oom_watch_open(OomWatch *o) {
        *o = (OomWatch) {};
        o->is_there = read_count(&o->n) >= 0;
}

bool oom_watch_look(OomWatch *o, usec_t now_usec) {
        uint64_t n;

        if (!o->is_there)
                return false;
        if (o->looked_usec > 0 && usec_sub(now_usec, o->looked_usec) < LOOK_USEC)
                return o->has_grown;
        if (read_count(&n) < 0)
                return false;
        o->has_grown = n > o->n;
        o->n = n;
        o->looked_usec = now_usec;
        return o->has_grown;
}

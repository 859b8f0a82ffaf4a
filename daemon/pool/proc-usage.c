/* proc-usage.c - /proc/PID/stat holds all that is shown of a process: its parent, its CPU time, its resident pages.
 *
 * The second field is the program's own name, in parentheses, with any bytes at all: the fields are counted from the
 * last ')'. Open, read, close: descriptors kept for thousands of workers would be worth more than the µs they save. */
#include "pool/proc-usage.h"

#include "base/clock.h"
#include "base/file.h"
#include <stdio.h>
#include <unistd.h>

#define FIELD_PPID 4
#define FIELD_UTIME 14
#define FIELD_STIME 15
#define FIELD_RSS 24

static uint64_t read_number(const char **p) {
        uint64_t v = 0;

        for (; **p >= '0' && **p <= '9'; (*p)++)
                v = v * 10 + (uint64_t) (**p - '0');
        return v;
}

int proc_usage_parse(const char *stat, ProcUsage *ret) {
        const char *p = strrchr(stat, ')');
        uint64_t field[FIELD_RSS + 1] = {0};
        uint64_t tick = USEC_PER_SEC / (uint64_t) sysconf(_SC_CLK_TCK);

        if (!p)
                return -EBADMSG;
        p++;
        for (int i = 3; i <= FIELD_RSS; i++) {
                if (*p != ' ')
                        return -EBADMSG;
                p++;
                field[i] = read_number(&p);
                p += strcspn(p, " "); /* the state's letter, a minus sign */
        }
        *ret = (ProcUsage){
                .ppid = (pid_t) field[FIELD_PPID],
                .cpu_usec = (field[FIELD_UTIME] + field[FIELD_STIME]) * tick,
                .memory_bytes = field[FIELD_RSS] * (uint64_t) sysconf(_SC_PAGESIZE),
        };
        return 0;
}

int proc_usage_read(pid_t pid, ProcUsage *ret) {
        char path[32],
                text[1024]; /* 52 numbers of 20 digits at most, a name of 64 bytes: 24 fields end far before */
        ssize_t n;

        (void) snprintf(path, sizeof path, "/proc/%d/stat", (int) pid);
        n = file_read_start(path, text, sizeof text);
        return n < 0 ? (int) n : proc_usage_parse(text, ret);
}

/* logger-rig.h - plays keeper and droverd for a real drover-logger, so that tests need neither.
 *
 * The rig makes the scratch memfd, both lines and the pipes, keeps duplicates of the read ends as the keeper does, and
 * can kill the logger and start it anew with everything attached again. Every wait has a limit; failures end
 * the test program by ck_abort. */
#ifndef DROVER_TEST_LOGGER_RIG_H
#define DROVER_TEST_LOGGER_RIG_H

#include "base/clock.h"
#include "link/logger-protocol.h"
#include <sys/types.h>

#define RIG_OUTPUTS_MAX 128
#define RIG_WAIT_USEC (20 * USEC_PER_SEC)

typedef struct RigOutput {
        bool is_used, is_detached;
        uint64_t generation;
        uint32_t streams;
        LogSpec spec;
        int read_fds[2], write_fds[2]; /* stdout, stderr */
} RigOutput;

typedef struct Rig {
        pid_t pid;
        int keeper_fd, peer_fd, scratch_fd;
        uint64_t n_generations, n_fds_max; /* n_fds_max: limit of descriptors for the logger; 0: none */
        uint64_t n_fsize_max;              /* RLIMIT_FSIZE of the logger; 0: none */
        RigOutput outputs[RIG_OUTPUTS_MAX];
} Rig;

void rig_start(Rig *r);   /* a zeroed Rig, or one whose limits are set */
void rig_stop(Rig *r);    /* kills; closes all */
void rig_restart(Rig *r); /* SIGKILL, then a new logger with all outputs attached again */
void rig_kill(Rig *r);    /* SIGKILL only; rig_resume() starts the next */
void rig_resume(Rig *r);

LogSpec rig_spec(uint32_t kind, const char *worker, const char *path, uint64_t max_size, uint32_t max_files);
void rig_attach(Rig *r, uint32_t slot, const LogSpec *spec, uint32_t streams);
void rig_write(Rig *r, uint32_t slot, int stream, const void *data, size_t n); /* stream: 0 stdout, 1 stderr */
void rig_print(Rig *r, uint32_t slot, int stream, const char *text);
void rig_close(Rig *r, uint32_t slot); /* closes the write ends */
void rig_linger(Rig *r, uint32_t slot, usec_t usec);
void rig_reopen(Rig *r);
void rig_wait_detached(Rig *r, uint32_t slot);
int rig_finish(Rig *r); /* FINISH; the logger's exit code */
size_t rig_pipe_bytes(const Rig *r, uint32_t slot, int stream);

/* What a READ gave, as text: one line each, "1:text" (stdout), "2:text", "0:text"; a continued piece ends with "\\". */
typedef struct RigLines {
        char *text;
        size_t length, capacity, n_lines;
        uint64_t n_dropped, n_timeless, n_told; /* n_told: DROPPED messages */
        usec_t last_time;
        bool is_over;
        int error;
        char end_text[128];
} RigLines;
void rig_read(Rig *r, uint64_t request, const LogSpec *spec, uint32_t streams, uint64_t n_lines, bool follow,
              uint64_t credit);
void rig_credit(Rig *r, uint64_t request, uint64_t n);
void rig_read_since(Rig *r, uint64_t request, const LogSpec *spec, uint32_t streams, usec_t since);
/* LOGGER_ROTATE or LOGGER_CLEAR; waits for its END and gives its errno. No other request may be open. */
int rig_act(Rig *r, uint32_t type, const LogSpec *spec);
void rig_respec(Rig *r, uint32_t slot, const LogSpec *spec);
void rig_cancel(Rig *r, uint64_t request);
/* Takes packets until END, or until at least @n_lines lines or word of dropped ones came; gives credit back when @credit. */
void rig_collect(Rig *r, uint64_t request, RigLines *ret, size_t n_lines, bool credit);
void rig_lines_done(RigLines *l);

char *rig_directory(void);           /* a fresh one, absolute, without symbolic links; the caller's */
void rig_remove(char *directory);    /* with everything in it; frees */
/* The files from the oldest rotated one to the current one, one after the other; *ret is the caller's. */
void rig_slurp(const char *path, char **ret, size_t *ret_size);
void rig_wait_name(const char *name, bool exists); /* until there is such a name, or none */
/* Waits until the log at @path holds @n bytes altogether. */
void rig_wait_bytes(const char *path, size_t n);

#endif

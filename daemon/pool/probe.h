/* probe.h - one try of one question from outside: does it accept a connection, answer GET, does a command say yes?
 *
 * Owner: whoever asks (a Health). Never blocks: sockets are non-blocking, addresses numeric, the command a child of
 * the keeper. The verdict comes from the loop, once; the owner then frees the probe, as it may at any time before. */
#ifndef DROVER_POOL_PROBE_H
#define DROVER_POOL_PROBE_H

#include "pool/worker.h"
#include <systemd/sd-event.h>

#define PROBE_SENTENCE_MAX 640

typedef struct Probe Probe;

/* @sentence: NULL: yes; else why not: "connect to 127.0.0.1:8080: Connection refused". Borrowed during the call, in
 * which the probe may be freed. */
typedef void (*ProbeDone)(const char *sentence, void *userdata);

/**
 * probe_start() - begin a try that takes at most config->timeout
 * @config: borrowed until the probe is freed. @worker: for whom a command is run; may be NULL for tcp and http.
 * What cannot even be begun is said by @done, too. Return: 0, *ret is the caller's; -ENOMEM, -EINVAL (kind none).
 */
int probe_start(Probe **ret, const ProbeConfig *config, sd_event *event, Worker *worker, ProbeDone done, void *userdata);
Probe *probe_free(Probe *p); /* NULL is accepted. Returns NULL */
DEFINE_CLEANUP(Probe, probe_free);

#endif

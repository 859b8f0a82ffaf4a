/* follow.h - print a stream until its end: a call that sends notifications before its reply, for minutes or
 * for ever.
 *
 * Output is gathered and written once a turn. When the daemon goes away an endless stream connects again and
 * asks its owner for fresh parameters; a stream with an end does the same, for the end was not reached. Ends
 * by itself when nobody reads stdout any more, also when nothing is written. */
#ifndef DROVER_CTL_FOLLOW_H
#define DROVER_CTL_FOLLOW_H

#include "ctl/ctl.h"
#include <unistd.h>

typedef struct Follow {
        Ctl *ctl;
        const char *method;
        json_t *(*make_params)(void *userdata); /* a new reference; for each connection */
        session_notify_cb on_notify;
        bool is_endless;
        void *userdata;
        Text out, err; /* gathered for stdout and stderr */
        bool is_done;
        int status;
} Follow;

/** follow_run() - the whole of it. Return: the exit status. */
int follow_run(Follow *f);
/** follow_put() - add a line to what goes to @fd (1 or 2); keeps the order between the two as far as it can
 * be seen. */
void follow_put(Follow *f, int fd, const Text *line);

#endif

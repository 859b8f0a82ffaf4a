/* supervisor-stop.c - the orderly end.
 *
 *   asked -> workers are stopped, each with its own signal and timeout -> quiet -> hooks have run -> waiting clients get
 *   their answers -> what is left outside is swept -> sockets are unlinked -> QUIT
 *
 * A worker that does not stop is killed after its stop.timeout, and its tree with it; one on which SIGKILL has no effect
 * is given up after half a minute. Hooks have 10 s for their last runs. A second request changes nothing. Workers with
 * on_daemon_exit "keep" are left alone: nobody reads their output any more, and a later daemon does not know them. */
#include "base/log.h"
#include "pool/listen.h"
#include "supervisor-internal.h"
#include <poll.h>
#include <stdlib.h>

#define QUIT_TRIES 50 /* of 100 ms, for a keeper that is slow to read */

void stop_begin(Supervisor *s, const char *why) {
        if (s->is_stopping)
                return;
        s->is_stopping = true;
        log_notice("stopping: %s", why);
        hub_emit(s->hub, EVENT_DAEMON_STOPPING, NULL, NULL, NULL);
        control_begin_shutdown(s->control);
        pool_set_want_stop_all(s->pools);
        state_put_daemon(s);
        status_stopping(s);
}

/* The last packets must reach the keeper before this program goes. */
static void quit_flush(Supervisor *s) {
        for (int i = 0; i < QUIT_TRIES && keeper_link_flush(s->keeper) >= 0 && !keeper_link_is_flushed(s->keeper); i++)
                (void) poll(NULL, 0, 100);
}

void stop_proceed(Supervisor *s) {
        bool is_kept;

        if (!s->is_stopping || s->is_quit || !pool_set_is_quiet(s->pools))
                return;
        hook_set_finish(s->hooks);
        hook_set_converge(s->hooks);
        if (!hook_set_is_idle(s->hooks))
                return;
        s->is_quit = true;
        control_finish(s->control);
        /* Among the rest outside of slots may be children of what is kept, so then nothing is swept. */
        is_kept = pool_set_keeps_any(s->pools);
        if (!is_kept)
                (void) keeper_link_sweep(s->keeper);
        wish_finish(s);
        pool_set_unlisten(s->pools);
        places_unlink(s);
        if (keeper_link_quit(s->keeper, EXIT_SUCCESS, is_kept) < 0)
                log_error("cannot tell the keeper to end");
        quit_flush(s);
        log_info("stopped");
        s->exit_status = EXIT_SUCCESS;
        (void) sd_event_exit(s->event, EXIT_SUCCESS);
}

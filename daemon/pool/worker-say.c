/* worker-say.c - what a worker says about itself, heard by the notify socket. */
#include "pool/notify.h"
#include "pool/pool-internal.h"

#include "base/alloc.h"

/* LAUNCHING too: its READY=1 may overtake the keeper's STARTED. */
static bool worker_may_speak(const Worker *w) {
        return w->child && !child_is_ended(w->child);
}

void worker_say_ready(Worker *w) {
        if (worker_may_speak(w) && w->config->ready == READY_NOTIFY)
                worker_handle(w, WORKER_ON_READY);
}

void worker_say_stopping(Worker *w) {
        if (!worker_may_speak(w))
                return;
        w->is_closing = true;
        worker_mark_to_tell(w);
}

void worker_say_status(Worker *w, const char *text, size_t length) {
        char *copy;

        if (!worker_may_speak(w))
                return;
        copy = length > 0 ? alloc_strndup(text, length) : NULL;
        if (length > 0 && !copy)
                return; /* the old one stays */
        free(w->status_text);
        w->status_text = copy;
        worker_mark_to_tell(w);
}

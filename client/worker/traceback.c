/* traceback.c - see traceback.h. The frames are glibc's backtrace(3); dladdr(3) knows the exported symbols. */
#include "worker/traceback.h"

#include <dlfcn.h>
#include <execinfo.h>

#define FRAMES_MAX 64

static void append_frame(Text *t, unsigned n, const void *address, const Dl_info *info, const char *place) {
        text_appendf(t, "#%u ", n);
        if (place)
                text_append(t, place);
        else if (info->dli_sname)
                text_appendf(t, "%s+0x%zx", info->dli_sname, (size_t) ((const char *) address - (const char *) info->dli_saddr));
        else
                text_appendf(t, "+0x%zx", (size_t) ((const char *) address - (const char *) info->dli_fbase));
        text_appendf(t, " in %s\n", info->dli_fname ? info->dli_fname : "?");
}

/* Sanitizers put frames of their own before ours, so that counting them does not do. */
static int first_frame(void *const *frames, int n, const void *from) {
        for (int i = 0; from && i < n; i++)
                if (frames[i] == from)
                        return i;
        return 1;
}

void traceback_append(Text *t, const void *from, const char *place) {
        void *frames[FRAMES_MAX];
        int n = backtrace(frames, FRAMES_MAX);
        unsigned shown = 0;
        Dl_info own = {.dli_fbase = NULL};
        const void *first = NULL;

        (void) dladdr((const void *) traceback_append, &own);
        for (int i = first_frame(frames, n, from); i < n; i++) {
                const char *address = (const char *) frames[i] - 1; /* of the call, not of what follows it */
                Dl_info info;

                if (!dladdr(address, &info))
                        info = (Dl_info){.dli_fbase = NULL};
                if (shown == 0)
                        first = info.dli_fbase;
                else if (info.dli_fbase == own.dli_fbase && first != own.dli_fbase)
                        break;
                append_frame(t, shown, frames[i], &info, shown == 0 ? place : NULL);
                shown++;
        }
}

void traceback_write(int fd) {
        void *frames[FRAMES_MAX];

        backtrace_symbols_fd(frames, backtrace(frames, FRAMES_MAX), fd);
}

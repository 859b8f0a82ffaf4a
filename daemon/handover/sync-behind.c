/* sync-behind.c - see sync-behind.h. The system calls have no wrappers in libc. */
#include "handover/sync-behind.h"

#include "base/alloc.h"
#include "base/fd.h"
#include <linux/aio_abi.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

struct SyncBehind {
        aio_context_t aio; /* 0: there is none */
        int event_fd;
        bool is_busy, is_done_already;
        int error;
        struct iocb request;
        sd_event_source *source;
        sync_behind_done done;
        void *userdata;
};

static int on_event(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        SyncBehind *s = userdata;
        struct io_event e = {0};
        uint64_t n;

        if (read(fd, &n, sizeof n) < 0 || !s->is_busy)
                return 0;
        if (!s->is_done_already) {
                if (syscall(SYS_io_getevents, s->aio, 1L, 1L, &e, NULL) < 1)
                        e.res = -EIO;
                s->error = (int) MIN((long long) e.res, 0LL);
        }
        s->is_busy = s->is_done_already = false;
        s->done(s->error, s->userdata);
        return 0;
}

int sync_behind_new(SyncBehind **ret, sd_event *event, int64_t priority, sync_behind_done done, void *userdata) {
        SyncBehind *s = NEW0(SyncBehind);
        int r;

        if (!s)
                return -ENOMEM;
        s->done = done;
        s->userdata = userdata;
        s->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r = s->event_fd < 0 ? -errno : sd_event_add_io(event, &s->source, s->event_fd, EPOLLIN, on_event, s);
        if (r >= 0)
                r = sd_event_source_set_priority(s->source, priority);
        if (r < 0) {
                sync_behind_free(s);
                return r;
        }
        if (syscall(SYS_io_setup, 1U, &s->aio) < 0)
                s->aio = 0;
        *ret = s;
        return 0;
}

SyncBehind *sync_behind_free(SyncBehind *s) {
        if (!s)
                return NULL;
        sd_event_source_disable_unref(s->source);
        if (s->aio != 0)
                (void) syscall(SYS_io_destroy, s->aio);
        fd_close(s->event_fd);
        free(s);
        return NULL;
}

bool sync_behind_is_busy(const SyncBehind *s) {
        return s->is_busy;
}

void sync_behind_begin(SyncBehind *s, int fd) {
        struct iocb *list[1] = {&s->request};
        uint64_t one = 1;

        s->is_busy = true;
        s->request = (struct iocb){.aio_lio_opcode = IOCB_CMD_FDSYNC, .aio_fildes = (uint32_t) fd, .aio_flags = IOCB_FLAG_RESFD,
                                   .aio_resfd = (uint32_t) s->event_fd};
        if (s->aio != 0 && syscall(SYS_io_submit, s->aio, 1L, list) == 1)
                return;
        s->is_done_already = true;
        s->error = fdatasync(fd) < 0 ? -errno : 0;
        if (write(s->event_fd, &one, sizeof one) < 0)
                s->error = -errno;
}

/* kept.c - the table of kept descriptors. See kept.h. */
#include "keeper/kept.h"
#include "base/fd.h"
#include <sys/mman.h>

int kept_table_new(KeptTable **ret) {
        KeptTable *t = mmap(NULL, sizeof(KeptTable), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                            -1, 0);

        if (t == MAP_FAILED)
                return -ENOMEM;
        (void) madvise(t, sizeof(KeptTable), MADV_DONTFORK); /* as the slot table */
        *ret = t;
        return 0;
}

KeptTable *kept_table_free(KeptTable *t) {
        if (!t)
                return NULL;
        for (uint32_t i = 0; i < t->top; i++)
                (void) fd_close(kept_fd(t, i));
        (void) munmap(t, sizeof(KeptTable));
        return NULL;
}

int kept_fd(const KeptTable *t, uint32_t index) {
        return t->items[index].fd_plus_one > 0 ? t->items[index].fd_plus_one - 1 : -EBADF;
}

/* Its place; or, where there is none, the first free one, which may be `top`. */
static uint32_t kept_place(const KeptTable *t, const char *name) {
        uint32_t free = t->top;

        for (uint32_t i = 0; i < t->top; i++) {
                if (t->items[i].fd_plus_one > 0 && streq(t->items[i].name, name))
                        return i;
                if (t->items[i].fd_plus_one == 0)
                        free = MIN(free, i);
        }
        return free;
}

int kept_put(KeptTable *t, const char *name, int fd_take) {
        uint32_t i = kept_place(t, name);
        size_t n = strnlen(name, KEEPER_KEPT_NAME_MAX - 1);

        if (i >= KEEPER_KEPT_MAX)
                return -ENOSPC;
        (void) fd_close(kept_fd(t, i));
        memcpy(t->items[i].name, name, n);
        memset(t->items[i].name + n, 0, KEEPER_KEPT_NAME_MAX - n);
        t->items[i].fd_plus_one = fd_take + 1;
        t->top = MAX(t->top, i + 1);
        return 0;
}

void kept_drop(KeptTable *t, const char *name) {
        uint32_t i = kept_place(t, name);

        if (i >= t->top || t->items[i].fd_plus_one == 0)
                return;
        (void) fd_close(kept_fd(t, i));
        t->items[i].fd_plus_one = 0;
        while (t->top > 0 && t->items[t->top - 1].fd_plus_one == 0)
                t->top--;
}

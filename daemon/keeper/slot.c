/* slot.c - the fixed table of processes. See slot.h for a slot's life. */
#include "keeper/slot.h"
#include "base/fd.h"
#include <stdio.h>
#include <sys/mman.h>

int slot_table_new(SlotTable **ret) {
        SlotTable *t = mmap(NULL, sizeof(SlotTable), PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        if (t == MAP_FAILED)
                return -ENOMEM;
        /* A new process needs none of it, and copying its page tables would make every launch dearer. */
        (void) madvise(t, sizeof(SlotTable), MADV_DONTFORK);
        *ret = t;
        return 0;
}

SlotTable *slot_table_free(SlotTable *t) {
        if (!t)
                return NULL;
        for (uint32_t i = 0; i < t->top; i++)
                if (t->slots[i].state != KEEPER_SLOT_FREE) {
                        t->slots[i].pid = 0;
                        slot_release(t, &t->slots[i]);
                }
        (void) munmap(t, sizeof(SlotTable));
        return NULL;
}

static void copy_text(char *to, size_t size, const char *from) {
        size_t n = strnlen(from, size - 1);

        memcpy(to, from, n);
        to[n] = '\0';
}

void slot_set_name(Slot *s, const char *name, const LogSpec *log) {
        s->log = *log;
        s->log.worker[sizeof(s->log.worker) - 1] = '\0';
        s->log.path[sizeof(s->log.path) - 1] = '\0';
        copy_text(s->name, sizeof(s->name), name);
}

Slot *slot_take(SlotTable *t, uint32_t index, uint64_t generation, const char *name, const LogSpec *log) {
        Slot *s;

        if (index >= KEEPER_SLOTS_MAX || t->slots[index].state != KEEPER_SLOT_FREE)
                return NULL;
        s = &t->slots[index];
        *s = (Slot) {
                .generation = generation,
                .state = KEEPER_SLOT_LAUNCHING,
                .pidfd = -EBADF,
                .report_fd = -EBADF,
                .ready_fd = -EBADF,
                .out_fds = {-EBADF, -EBADF},
                .template_fd = -EBADF,
                .leaf_fd = -EBADF,
                .leaf = {.generation = generation, .slot = index, .fd = -EBADF, .procs_fd = -EBADF, .events_fd = -EBADF},
        };
        slot_set_name(s, name, log);
        t->top = MAX(t->top, index + 1);
        t->n_used++;
        return s;
}

Slot *slot_find(SlotTable *t, uint32_t index, uint64_t generation) {
        if (index >= t->top || t->slots[index].state == KEEPER_SLOT_FREE)
                return NULL;
        return t->slots[index].generation == generation ? &t->slots[index] : NULL;
}

static uint32_t *bucket_of(SlotTable *t, pid_t pid) {
        return &t->buckets[(uint32_t) pid % SLOT_BUCKETS];
}

Slot *slot_by_pid(SlotTable *t, pid_t pid) {
        for (uint32_t i = *bucket_of(t, pid); i != 0; i = t->slots[i - 1].next_by_pid)
                if (t->slots[i - 1].pid == pid)
                        return &t->slots[i - 1];
        return NULL;
}

void slot_set_pid(SlotTable *t, Slot *s, pid_t pid) {
        uint32_t *bucket = bucket_of(t, pid);

        s->pid = s->leader = pid;
        s->next_by_pid = *bucket;
        *bucket = slot_index(t, s) + 1;
        t->n_alive++;
}

void slot_clear_pid(SlotTable *t, Slot *s) {
        uint32_t *link = bucket_of(t, s->pid);

        while (*link != 0 && *link != slot_index(t, s) + 1)
                link = &t->slots[*link - 1].next_by_pid;
        if (*link == 0)
                return;
        *link = s->next_by_pid;
        s->next_by_pid = 0;
        s->pid = 0;
        t->n_alive--;
}

void slot_add_ending(SlotTable *t, Slot *s) {
        if (s->is_ending)
                return;
        s->is_ending = true;
        t->endings[t->n_endings++] = slot_index(t, s);
}

void slot_remove_ending(SlotTable *t, Slot *s) {
        uint32_t index = slot_index(t, s);

        if (!s->is_ending)
                return;
        s->is_ending = false;
        for (uint32_t i = 0; i < t->n_endings; i++)
                if (t->endings[i] == index) {
                        t->endings[i] = t->endings[--t->n_endings];
                        return;
                }
}

void slot_release(SlotTable *t, Slot *s) {
        if (s->state == KEEPER_SLOT_FREE)
                return;
        s->pidfd = fd_close(s->pidfd);
        s->report_fd = fd_close(s->report_fd);
        s->ready_fd = fd_close(s->ready_fd);
        s->template_fd = fd_close(s->template_fd);
        s->leaf_fd = fd_close(s->leaf_fd);
        s->leaf.fd = fd_close(s->leaf.fd);
        s->leaf.procs_fd = fd_close(s->leaf.procs_fd);
        s->leaf.events_fd = fd_close(s->leaf.events_fd);
        fd_close_many(s->out_fds, ARRAY_SIZE(s->out_fds));
        s->state = KEEPER_SLOT_FREE;
        t->n_used--;
}

bool slot_has_name_alive(SlotTable *t, const char *name, const Slot *but) {
        for (uint32_t i = 0; i < t->top; i++) {
                const Slot *s = &t->slots[i];

                if (s != but && s->state != KEEPER_SLOT_FREE && s->pid > 0 && streq(s->name, name))
                        return true;
        }
        return false;
}

char *slot_spare_leaf(uint32_t slot, uint64_t generation, char buf[static SLOT_LEAF_MAX]) {
        (void) snprintf(buf, SLOT_LEAF_MAX, KEEPER_SPARE_NAME ".%u.%llu", slot, (unsigned long long) generation);
        return buf;
}

char *slot_leaf(const SlotTable *t, const Slot *s, char buf[static SLOT_LEAF_MAX]) {
        size_t n = 0;

        if (s->was_spare)
                return slot_spare_leaf(s->leaf.slot, s->leaf.generation, buf);
        for (; s->name[n]; n++) {
                char c = s->name[n];

                buf[n] = c == '/' ? ':' : (c == '.' && n == 0) || (unsigned char) c <= ' ' ? '_' : c;
        }
        (void) snprintf(buf + n, SLOT_LEAF_MAX - n, ".%u.%llu", slot_index(t, s), (unsigned long long) s->generation);
        return buf;
}

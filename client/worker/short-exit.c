/* short-exit.c - see short-exit.h.
 *
 * At the end of exit(3) the dynamic linker calls the destructors of all libraries, and before that dirties a page of each. The
 * one that the compiler puts into every library does nothing in a process that ends; where there is no other, what was
 * registered with atexit(3) has been called by then, and streams are flushed here, nothing is missed. It is a tenth of the life
 * of a process that runs a short target.
 *
 * What libraries register before main() would be called after us: with any but the usual ones nothing is cut short. */
#include "worker/short-exit.h"

#include "base/macro.h"
#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/single_threaded.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The libraries that are loaded, in the dynamic linker's own list: a new one stands last. */
typedef struct Libraries {
        const struct link_map *last;
        ElfW(Addr) at; /* where the last one is */
        size_t n;
} Libraries;

static bool is_prepared, is_allowed;
static Libraries at_allowance;

static const char *const usual[] = {"libjansson.so.4", "libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1", "linux-vdso.so.1"};

static bool is_usual(const char *path) {
        const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

        for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
                if (streq(usual[i], name))
                        return true;
        return *name == '\0'; /* the program itself */
}

static int find_unusual(struct dl_phdr_info *info, size_t size, void *userdata) {
        return !is_usual(info->dlpi_name);
}

/* More than the compiler's own? */
static int find_destructor(struct dl_phdr_info *info, size_t size, void *userdata) {
        for (size_t i = 0; i < info->dlpi_phnum; i++) {
                const ElfW(Dyn) *d = (const ElfW(Dyn) *) (info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);

                if (info->dlpi_phdr[i].p_type != PT_DYNAMIC)
                        continue;
                for (; d->d_tag != DT_NULL; d++)
                        if (d->d_tag == DT_FINI_ARRAYSZ && d->d_un.d_val > sizeof(void (*)(void)))
                                return 1;
        }
        return 0;
}

/* By one thread alone. dl_iterate_phdr(3) counts better, but touches pages of the linker and the C library that nothing else
 * needs. */
static Libraries look_at_libraries(void) {
        Libraries l = {.n = 0};

        for (const struct link_map *m = _r_debug.r_map; m; m = m->l_next)
                l = (Libraries){.last = m, .at = m->l_addr, .n = l.n + 1};
        return l;
}

static void end_here(int status, void *userdata) {
        Libraries now;

        if (!is_allowed || !__libc_single_threaded || _r_debug.r_version > 1) /* another namespace has a list of its own */
                return;
        now = look_at_libraries();
        if (now.last != at_allowance.last || now.at != at_allowance.at || now.n != at_allowance.n) /* the target has loaded others */
                return;
        (void) fflush(NULL);
        (void) syscall(SYS_exit_group, status); /* _exit(2) would be one more page to be mapped */
}

void short_exit_prepare(void) {
        is_prepared = dl_iterate_phdr(find_unusual, NULL) == 0 && on_exit(end_here, NULL) == 0;
}

void short_exit_allow(void) {
        is_allowed = is_prepared && dl_iterate_phdr(find_destructor, NULL) == 0;
        at_allowance = look_at_libraries();
}

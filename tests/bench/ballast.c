/* ballast.c - preloaded: droverd holds $DROVER_BENCH_BALLAST MiB of memory that it has written to; the others hold none. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

__attribute__((constructor)) static void hold(void) {
        const char *mib = getenv("DROVER_BENCH_BALLAST");
        size_t n = mib ? strtoul(mib, NULL, 10) << 20 : 0;
        char *p = n > 0 && strcmp(program_invocation_short_name, "droverd") == 0 && getenv("DROVER_KEEPER_FD") ? malloc(n) : NULL;

        if (p)
                memset(p, 1, n);
}

/* libexec.c - see libexec.h. */
#include "libexec.h"
#include "base/alloc.h"
#include "base/macro.h"
#include "build-config.h"
#include <limits.h>
#include <unistd.h>

#define MODULE_VARIABLE "DROVER_MODULE_PATH"

char *libexec_own_path(void) {
        char path[PATH_MAX];
        ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

        if (n <= 0)
                return NULL;
        path[n] = '\0';
        return alloc_strdup(path);
}

char *libexec_find(const char *name) {
        _cleanup_free_ char *own = libexec_own_path();
        const char *variable = getenv(LIBEXEC_VARIABLE), *slash = own ? strrchr(own, '/') : NULL;
        int n = slash ? (int) (slash - own) : 0;
        char *candidates[] = {
                variable ? alloc_printf("%s/%s", variable, name) : NULL,
                slash ? alloc_printf("%.*s/%s", n, own, name) : NULL,
                slash ? alloc_printf("%.*s/../libexec/drover/%s", n, own, name) : NULL,
                alloc_printf("%s/%s", DROVER_LIBEXECDIR, name),
        };
        char *found = NULL;

        for (size_t i = 0; i < ARRAY_SIZE(candidates); i++) {
                if (!found && candidates[i] && access(candidates[i], X_OK) == 0)
                        found = TAKE_PTR(candidates[i]);
                free(candidates[i]);
        }
        return found;
}

char *libexec_module_path(void) {
        const char *variable = getenv(MODULE_VARIABLE);

        return variable && *variable ? alloc_printf("%s:%s", variable, DROVER_MODULEDIR) : alloc_strdup(DROVER_MODULEDIR);
}

/* candidates.c - see candidates.h. */
#include "process/candidates.h"

#include "base/alloc.h"
#include "base/macro.h"

/* A command without '/' in each absolute directory of the worker's own PATH; empty and relative ones are passed over. */
static int candidates_in_path(const char *path, const char *command, char **out) {
        size_t n = 0;

        while (*path) {
                size_t length = strcspn(path, ":");

                if (*path == '/' && !(out[n++] = alloc_printf("%.*s/%s", (int) length, path, command)))
                        return -ENOMEM;
                path += length + (path[length] == ':');
        }
        return 0;
}

int candidates_make(const char *command, const char *path, const char *directory, char ***ret) {
        _cleanup_(strv_freep) char **v = NULL;
        size_t n = 2;
        int r = 0;

        for (const char *p = path; *p; p++)
                n += *p == ':';
        v = NEW0_ARRAY(char *, n + 1);
        if (!v)
                return -ENOMEM;
        if (*command == '/')
                v[0] = alloc_strdup(command);
        else if (strchr(command, '/'))
                v[0] = alloc_printf("%s/%s", directory ? directory : "", command);
        else
                r = candidates_in_path(path, command, v);
        if (r < 0 || (!v[0] && strchr(command, '/')))
                return -ENOMEM;
        if (!v[0] &&
            !(v[0] = alloc_printf("/%s", command))) /* an empty PATH finds nothing: say so by ENOENT */
                return -ENOMEM;
        *ret = TAKE_PTR(v);
        return 0;
}

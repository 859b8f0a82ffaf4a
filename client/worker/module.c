/* module.c - see module.h. */
#include "worker/module.h"

#include "base/parse.h"
#include <dlfcn.h>
#include <stdlib.h>

#define TARGETS_MAX 1024u

int module_check(const drover_module *m, Text *error) {
        size_t n = 0;

        if (m->abi != DROVER_MODULE_ABI) {
                text_appendf(error, "its table is of ABI %u, this drover takes ABI %u; build it with this drover's drover.h",
                             m->abi, DROVER_MODULE_ABI);
                return -EINVAL;
        }
        if (!m->name || !m->targets || !m->targets[0].name) {
                text_append(error, "its table has no name or no targets");
                return -EINVAL;
        }
        for (const drover_target *t = m->targets; t->name; t++) {
                if (!t->run) {
                        text_appendf(error, "its target \"%s\" has no function", t->name);
                        return -EINVAL;
                }
                if (++n > TARGETS_MAX) {
                        text_appendf(error, "its table of targets has more than %u entries: is the last one {NULL}?", TARGETS_MAX);
                        return -EINVAL;
                }
        }
        return 0;
}

int module_open(const char *path, const drover_module **ret, Text *error) {
        const drover_module *m;
        void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);

        if (!handle) {
                text_append(error, dlerror());
                return -ENOENT;
        }
        m = dlsym(handle, DROVER_MODULE_SYMBOL);
        if (!m) {
                text_append(error, "it exports no " DROVER_MODULE_SYMBOL ": it is no module of drover");
                return -EINVAL;
        }
        if (module_check(m, error) < 0)
                return -EINVAL;
        *ret = m;
        return 0;
}

const drover_target *module_find(const drover_module *m, const char *name) {
        for (const drover_target *t = m->targets; t->name; t++)
                if (streq(t->name, name))
                        return t;
        return NULL;
}

const char *module_nearest(const drover_module *m, const char *name) {
        const char *names[TARGETS_MAX + 1];
        size_t n = 0;

        for (const drover_target *t = m->targets; t->name && n < TARGETS_MAX; t++)
                names[n++] = t->name;
        names[n] = NULL;
        return name_nearest(name, names);
}

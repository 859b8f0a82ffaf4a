/* import-expand.h - supervisord's %(name)s in values, and its lists of variables. */
#ifndef DROVER_CTL_IMPORT_EXPAND_H
#define DROVER_CTL_IMPORT_EXPAND_H

#include "base/text.h"
#include <jansson.h>

typedef struct ExpandNames {
        const char *program, *group, *here, *host; /* NULL: not known here */
        unsigned process, n_processes;
} ExpandNames;

/**
 * import_expand() - @value with its expansions: %(program_name)s, %(process_num)02d, %(ENV_HOME)s, %%
 * @ret_unknown: the first name that has no value, cut to 63 bytes; "" when there is none. It stays as it is.
 */
void import_expand(Text *out, const char *value, const ExpandNames *names, char ret_unknown[static 64]);
/** import_environment() - KEY="a b",KEY2='c',KEY3=d into @env. Return: 0; -EBADMSG; -ENOMEM. */
int import_environment(const char *value, json_t *env);

#endif

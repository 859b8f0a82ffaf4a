/* env-file.h - KEY=value lines, as systemd's EnvironmentFile= and shells have them.
 *
 * A line is empty, a comment (#), or [export] KEY=VALUE. A value is plain (blanks at its ends dropped), 'literal', or
 * "quoted" with \" \\ \$ \` \n \t; quoted ones may not span lines. Pure but for env_file_read(). */
#ifndef DROVER_CONFIG_ENV_FILE_H
#define DROVER_CONFIG_ENV_FILE_H

#include "base/macro.h"
#include <sys/types.h>

#define ENV_FILE_MAX (1u << 20)

typedef struct EnvFileFault {
        int line, column; /* 0: the file as a whole */
        char text[192];
} EnvFileFault;

/**
 * env_file_parse() - call @add for every variable, in order; several faults may be reported through @fault
 * @text: NUL-terminated, changed
 * @add: 0, or a negative errno that ends the parsing and is returned
 * Return: 0, or what @add returned.
 */
typedef int (*EnvFileAdd)(const char *key, const char *value, int line, void *userdata);
typedef void (*EnvFileReport)(const EnvFileFault *fault, void *userdata);
int env_file_parse(char *text, EnvFileAdd add, EnvFileReport report, void *userdata);

/**
 * env_file_read() - the whole file, checked: regular, of root, @own or @user, not writable for group or others
 * Return: 0 with *ret (the caller's); -EBADMSG with *fault; -ENOMEM.
 */
int env_file_read(const char *path, uid_t own, uid_t user, char **ret, EnvFileFault *fault);

#endif

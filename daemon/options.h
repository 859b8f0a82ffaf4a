/* options.h - droverd's command line. One table gives the parser and --help. */
#ifndef DROVER_OPTIONS_H
#define DROVER_OPTIONS_H

#include "base/macro.h"

typedef struct Options {
        const char *config; /* NULL: the default place. All borrowed from argv */
        const char *socket; /* NULL: $DROVER_SOCKET, else the default place */
        int log_level;
        bool is_check, is_version, is_help;
} Options;

/** options_parse() - Return: 0; -EINVAL, with a sentence on stderr. */
int options_parse(int argc, char **argv, Options *ret);
void options_print_help(void);

#endif

/* import-program.h - one [program:x] of supervisord, key by key, into a pool. */
#ifndef DROVER_CTL_IMPORT_PROGRAM_H
#define DROVER_CTL_IMPORT_PROGRAM_H

#include "ctl/import-expand.h"
#include "ctl/import-ini.h"
#include "ctl/import.h"

/* One pool in the making. */
typedef struct Making {
        Import *im;
        const char *here; /* the directory of the main file */
        const IniSection *section;
        const IniSection *group; /* NULL: none */
        ExpandNames names;
        int pool;
        bool is_split; /* one pool a process */
} Making;

/** program_take() - one entry of the section: the pool's key, or a note. */
void program_take(Making *m, const IniEntry *e);
/** program_set_restart() - what autorestart, exitcodes, startretries and startsecs are together. */
void program_set_restart(Making *m);

#endif

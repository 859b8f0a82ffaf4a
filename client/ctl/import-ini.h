/* import-ini.h - INI files as supervisord reads them: sections, "key = value" or "key: value", values that go on in
 * indented lines, comments behind # or ; at the start of a line or after a blank. Keys are lower case. */
#ifndef DROVER_CTL_IMPORT_INI_H
#define DROVER_CTL_IMPORT_INI_H

#include "base/macro.h"

typedef struct IniEntry {
        char *key, *value;
        unsigned line;
} IniEntry;

typedef struct IniSection {
        char *file, *name; /* as it stands in the brackets */
        unsigned line;
        IniEntry *entries;
        size_t n_entries, capacity;
} IniSection;

typedef struct Ini {
        IniSection *sections;
        size_t n_sections, capacity;
} Ini;

/** ini_read() - add the sections of @path. *@ret_line: of what is wrong. -EBADMSG, -ENOMEM, -EFBIG, as file_read(). */
int ini_read(Ini *ini, const char *path, unsigned *ret_line);
void ini_done(Ini *ini);
/** ini_get() - the entry of that key, the last one when there are several; NULL when there is none. */
const IniEntry *ini_get(const IniSection *s, const char *key);
/** ini_section() - the first one of that name, or NULL. */
const IniSection *ini_section(const Ini *ini, const char *name);

#endif

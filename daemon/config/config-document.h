/* config-document.h - documents made from the key table: the JSON Schema and the key list of drover.json(5). */
#ifndef DROVER_CONFIG_CONFIG_DOCUMENT_H
#define DROVER_CONFIG_CONFIG_DOCUMENT_H

#include "base/text.h"

/** config_schema() - JSON Schema, draft 2020-12, indented, with a line end; NULL when memory is short. */
char *config_schema(void);
/** config_manual() - the list of keys as man(7) text; NULL when memory is short. */
char *config_manual(void);

#endif

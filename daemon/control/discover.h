/* discover.h - the OpenRPC document of the whole interface, from the table of methods. Pure. */
#ifndef DROVER_CONTROL_DISCOVER_H
#define DROVER_CONTROL_DISCOVER_H

#include "base/text.h"

/** discover_put_json() - the document as one JSON value with key NULL. */
void discover_put_json(Text *t);

#endif

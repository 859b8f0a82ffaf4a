/* fault-view.h - the daemon's list of faults, {"file","line","column","key","text"}, for people. */
#ifndef DROVER_CTL_FAULT_VIEW_H
#define DROVER_CTL_FAULT_VIEW_H

#include "base/text.h"
#include <jansson.h>

/** fault_view_put() - a line each, "file:line:column: key: text", with what is not known left out. */
void fault_view_put(Text *out, const json_t *faults);

#endif

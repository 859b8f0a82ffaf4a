/* fault-answer.h - faults of a configuration as JSON, and as the error of a call. */
#ifndef DROVER_CONTROL_FAULT_ANSWER_H
#define DROVER_CONTROL_FAULT_ANSWER_H

#include "config/config.h"
#include "control/control-call.h"

/** faults_put_json() - [{"file","line","column","key","text"}...] */
void faults_put_json(const ConfigFaults *faults, Text *t, const char *key);
/** call_fail_faults() - the error "invalid" with the first fault in its message and all in data.faults; or, without any,
 *  as call_errno(). @c is gone. */
void call_fail_faults(Call *c, ProtocolError code, int error, const ConfigFaults *faults);

#endif

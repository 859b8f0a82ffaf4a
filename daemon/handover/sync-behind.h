/* sync-behind.h - fdatasync() that the loop does not wait for: the kernel's AIO does it, and an eventfd tells.
 *
 * Where there is no AIO (a sandbox, io.max-aio used up), it is done in the loop at once, and told in the next round. One at
 * a time. Owner: DurableLog. */
#ifndef DROVER_HANDOVER_SYNC_BEHIND_H
#define DROVER_HANDOVER_SYNC_BEHIND_H

#include "base/macro.h"
#include <stdint.h>
#include <systemd/sd-event.h>

typedef struct SyncBehind SyncBehind;
typedef void (*sync_behind_done)(int error, void *userdata); /* 0 or negative */

int sync_behind_new(SyncBehind **ret, sd_event *event, int64_t priority, sync_behind_done done, void *userdata);
SyncBehind *sync_behind_free(SyncBehind *s); /* waits for one on its way */
bool sync_behind_is_busy(const SyncBehind *s);
/** sync_behind_begin() - @fd stays open until it is done, or that is known to make no difference. */
void sync_behind_begin(SyncBehind *s, int fd);

#endif

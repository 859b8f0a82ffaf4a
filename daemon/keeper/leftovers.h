/* leftovers.h - `drover-keeper --sweep`: after a keeper's death, end what it left behind. */
#ifndef DROVER_KEEPER_LEFTOVERS_H
#define DROVER_KEEPER_LEFTOVERS_H

/**
 * leftovers_sweep() - kill and remove `<own cgroup>/drover-*`
 * As systemd's ExecStopPost= ($SERVICE_RESULT is set) the whole cgroup of the unit, but for this process, unless
 * something in it is protected.
 * Return: 0, or -EBUSY when something did not end within 5 s; -ENOENT without cgroup v2 (nothing to go by).
 */
int leftovers_sweep(void);
/** leftovers_protect() - mark a keeper's cgroup: what runs there is wanted (on_daemon_exit "keep"), no sweep ends it. A
 *  negative descriptor is accepted. Needs user attributes on cgroups (5.7). */
void leftovers_protect(int base_fd);

#endif

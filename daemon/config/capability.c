/* capability.c - names of the kernel's capabilities; see the header. The index is the number, as in linux/capability.h. */
#include "config/capability.h"
#include "base/parse.h"
#include <strings.h>

static const char *const names[] = {
        "cap_chown", "cap_dac_override", "cap_dac_read_search", "cap_fowner", "cap_fsetid", "cap_kill", "cap_setgid",
        "cap_setuid", "cap_setpcap", "cap_linux_immutable", "cap_net_bind_service", "cap_net_broadcast", "cap_net_admin",
        "cap_net_raw", "cap_ipc_lock", "cap_ipc_owner", "cap_sys_module", "cap_sys_rawio", "cap_sys_chroot",
        "cap_sys_ptrace", "cap_sys_pacct", "cap_sys_admin", "cap_sys_boot", "cap_sys_nice", "cap_sys_resource",
        "cap_sys_time", "cap_sys_tty_config", "cap_mknod", "cap_lease", "cap_audit_write", "cap_audit_control",
        "cap_setfcap", "cap_mac_override", "cap_mac_admin", "cap_syslog", "cap_wake_alarm", "cap_block_suspend",
        "cap_audit_read", "cap_perfmon", "cap_bpf", "cap_checkpoint_restore", NULL,
};
_Static_assert(ARRAY_SIZE(names) == CAPABILITY_LAST + 2, "a name for each, and the end");

int capability_from_string(const char *s, const char **ret_near) {
        for (int i = 0; names[i]; i++)
                if (strcasecmp(s, names[i]) == 0 || strcasecmp(s, names[i] + 4) == 0)
                        return i;
        if (ret_near)
                *ret_near = name_nearest(s, names);
        return -EINVAL;
}

const char *capability_to_string(int capability) {
        return capability >= 0 && capability <= CAPABILITY_LAST ? names[capability] : NULL;
}

/* privilege.c - capability sets of a new process. See privilege.h. */
#include "keeper/privilege.h"
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAPABILITIES_MAX 64

int privilege_drop_bounding(uint64_t kept) {
        for (int cap = 0; cap < CAPABILITIES_MAX; cap++) {
                int has = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);

                if (has < 0) /* above the last one of this kernel */
                        return 0;
                if (has > 0 && !(kept & UINT64_C(1) << cap) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
                        return -errno;
        }
        return 0;
}

int privilege_set(uint64_t kept, bool is_ambient) {
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct data[2];

        for (unsigned i = 0; i < 2; i++) {
                data[i].effective = data[i].permitted = (uint32_t) (kept >> 32 * i);
                data[i].inheritable = is_ambient ? data[i].permitted : 0;
        }
        (void) prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
        if (syscall(SYS_capset, &header, data) < 0)
                return -errno;
        for (int cap = 0; is_ambient && cap < CAPABILITIES_MAX; cap++)
                if (kept & UINT64_C(1) << cap && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
                        return -errno;
        return 0;
}

uint64_t privilege_effective(void) {
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct data[2] = {};

        if (syscall(SYS_capget, &header, data) < 0)
                return 0;
        return data[0].effective | (uint64_t) data[1].effective << 32;
}

/* template-fork.c - one fork of a template, as a child of the template's parent.
 *
 * The C library's fork() cannot do that, so it is the system call, with what the library's own keeps right for a process of
 * one thread: the number of the thread where the library has it (raise(3), robust and recursive mutexes read it there), and
 * the list of robust mutexes. */
#include "worker/template.h"

#include "base/fd.h"
#include <linux/futex.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/single_threaded.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

bool template_is_inside;

/* Three links are ".", "..", and one thread. */
bool template_has_one_thread(void) {
        struct stat st;

        return __libc_single_threaded || (stat("/proc/self/task", &st) == 0 && st.st_nlink == 3);
}

static long clone_sibling(int *tid, int cgroup_fd) {
        static bool has_no_clone3, may_not_enter;
        unsigned long flags = CLONE_PARENT | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
        struct clone_args args = {.flags = flags, .child_tid = (uintptr_t) tid};
        long pid = -1;

        if (!has_no_clone3 && cgroup_fd >= 0 && !may_not_enter) {
                args.flags |= CLONE_INTO_CGROUP;
                args.cgroup = (uint64_t) cgroup_fd;
                template_is_inside = true; /* of the new process's copy */
                pid = syscall(SYS_clone3, &args, sizeof args);
                if (pid >= 0)
                        return pid;
                template_is_inside = false;
                may_not_enter = errno == EACCES || errno == EPERM;
                args.flags = flags;
        }
        if (!has_no_clone3)
                pid = syscall(SYS_clone3, &args, sizeof args);
        if (pid < 0 && (has_no_clone3 || errno == ENOSYS || errno == EPERM)) {
                has_no_clone3 = true;
#if defined(__x86_64__)
                pid = syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, tid, NULL);
#else
                pid = syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, tid);
#endif
        }
        return pid;
}

static pid_t fork_twice(void) {
        pid_t first = fork();
        int status;

        if (first == 0) {
                pid_t second = fork();

                if (second == 0)
                        return 0;
                _exit(second < 0 ? errno & 0x7f : 0);
        }
        if (first < 0)
                return -errno;
        while (waitpid(first, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 1 : WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

pid_t template_fork(int cgroup_fd) {
        struct robust_list_head *robust = NULL;
        size_t robust_size = 0;
        int *tid = NULL;
        long pid;

        template_is_inside = false;
        if (!template_has_one_thread() || prctl(PR_GET_TID_ADDRESS, &tid) < 0 || !tid ||
            syscall(SYS_get_robust_list, 0, &robust, &robust_size) < 0)
                return fork_twice();
        pid = clone_sibling(tid, cgroup_fd);
        if (pid < 0)
                return errno == EINVAL ? fork_twice() : -errno;
        if (pid == 0 && robust) {
                robust->list.next = &robust->list;
                robust->list_op_pending = NULL;
                (void) syscall(SYS_set_robust_list, robust, robust_size);
        }
        return (pid_t) pid;
}

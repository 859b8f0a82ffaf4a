/* fuzz-launch-request.c - a request that is taken must lie wholly inside its bytes, and pack to the same again. */
#include "base/fd.h"
#include "link/launch-request.h"
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true) {
        if (!is_true)
                abort();
}

static void require_inside(const char *s, const uint8_t *data, size_t size) {
        const uint8_t *p = (const uint8_t *) s;

        require(p >= data && p < data + size && memchr(p, '\0', (size_t) (data + size - p)));
}

static void require_all_inside(char **v, const uint8_t *data, size_t size) {
        for (; *v; v++)
                require_inside(*v, data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        size_t arena_size = size * 16 + 16384;
        _cleanup_free_ void *arena = malloc(arena_size);
        _cleanup_fd_ int fd = -EBADF;
        struct stat st;
        LaunchSpec s;

        if (!arena || launch_request_unpack(data, size, arena, arena_size, &s) < 0)
                return 0;
        require(s.argv[0] && s.candidates[0] && s.n_fds <= LAUNCH_FDS_MAX && s.n_groups <= LAUNCH_GROUPS_MAX);
        require_all_inside(s.argv, data, size);
        require_all_inside(s.env, data, size);
        require_all_inside(s.candidates, data, size);
        if (s.directory)
                require_inside(s.directory, data, size);
        for (int i = 0; i < 3; i++)
                if (s.stdio_path[i])
                        require_inside(s.stdio_path[i], data, size);
        require(launch_request_pack(&s, &fd) >= 0);
        require(fstat(fd, &st) == 0 && (size_t) st.st_size == size);
        return 0;
}

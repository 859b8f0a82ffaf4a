/* fuzz-task-request.c - a request as a worker of libdrover gets it, with two blobs: its target asks for the blob that each of its
 * arguments may name ({"$blob":N}), and answers. Input: lines. The first blob has the text of arguments, for a "spill". */
#include "base/fd.h"
#include "base/file.h"
#include "wire/attach.h"
#include "worker/task-run.h"
#include "worker/worker-blob.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define STREAM_MAX 60000u /* fits the socket */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true) {
        if (!is_true)
                abort();
}

/* The sum of the bytes of all that is named. */
static json_t *add_up(drover_task *task, json_t *args, json_t *kwargs) {
        json_int_t sum = 0;
        json_t *v;
        size_t i;

        json_array_foreach(args, i, v) {
                const void *bytes;
                size_t n;

                if (drover_task_blob(task, v, &bytes, &n) < 0)
                        continue;
                require(n <= 25);
                for (size_t at = 0; at < n; at++)
                        sum += ((const unsigned char *) bytes)[at];
        }
        return json_integer(sum);
}

static const drover_target targets[] = {{"f", add_up, "add up"}, {NULL}};
static const drover_module module = {.abi = DROVER_MODULE_ABI, .name = "m", .targets = targets};

static int memfd_of(const char *text) {
        int fd = memfd_new("fuzz");

        require(fd >= 0 && pwrite(fd, text, strlen(text), 0) == (ssize_t) strlen(text));
        return fd;
}

static void send_all(int fd, const char *data, size_t size) {
        AttachQueue q = {0};

        require(attach_put(&q, 0, memfd_of("{\"args\":[1],\"kwargs\":{}} ")) >= 0);
        require(attach_put(&q, 0, memfd_of("abc")) >= 0);
        require(attach_send(&q, fd, data, size) == (ssize_t) size);
        attach_done(&q);
        (void) shutdown(fd, SHUT_WR);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_text_ Text out = {0};
        TaskBlobs blobs;
        TaskRunner runner = {.module = &module, .blobs = &blobs};
        TaskIo io;
        char *line;
        size_t length;
        int pair[2];

        if (size == 0 || size > STREAM_MAX)
                return 0;
        require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
        send_all(pair[0], (const char *) data, size);
        taskio_init(&io, pair[1], NULL);
        taskblobs_init(&blobs, &io);
        while (taskblobs_next(&blobs, &line, &length) > 0)
                require(task_run(&runner, line, length, &out) >= 0);
        for (size_t at = 0; at < out.length;) { /* each answer is one line of JSON */
                const char *end = memchr(out.data + at, '\n', out.length - at);
                Slice value;

                require(end && slice_value(out.data + at, (size_t) (end - out.data) - at, &value, NULL) >= 0);
                at = (size_t) (end - out.data) + 1;
        }
        taskblobs_done(&blobs);
        taskio_done(&io);
        fd_close(pair[0]);
        fd_close(pair[1]);
        return 0;
}

/* worker-serve.c - drover_worker_run(): say hello, carry out what comes, end when the channel does.
 *
 * The first line tells droverd what this worker can: {"jsonrpc":"2.0","method":"hello","params":{"name":"math","targets":
 * [...],"items":true}}. A signal of its own (TIMEOUT_SIGNAL) tells a worker that its task lasts too long: it writes to
 * stderr where it is, and goes on; what follows is SIGKILL. */
#include "drover.h"

#include "base/fd.h"
#include "base/parse.h"
#include "wire/envelope.h"
#include "worker/task-call.h"
#include "worker/task-run.h"
#include "worker/taskio.h"
#include "worker/template.h"
#include "worker/worker-blob.h"
#include "worker/worker-serve.h"
#include "worker/traceback.h"
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define TIMEOUT_SIGNAL SIGUSR2
#define STACK_SIZE (64u * 1024)

static int fd_from_environment(const char *name) {
        const char *text = getenv(name);
        uint64_t v;

        return text && parse_u64(text, &v) >= 0 && v <= INT32_MAX ? (int) v : -ENOENT;
}

static int open_channel(void) {
        int fd = fd_from_environment("DROVER_TASKS_FD"), type;
        socklen_t size = sizeof type;

        if (fd < 0)
                return fd;
        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_STREAM)
                return -ENOTSOCK;
        return fd_set_cloexec(fd, true) < 0 ? -errno : fd;
}

static TaskPage *open_page(void) {
        int fd = fd_from_environment("DROVER_TASKS_PAGE_FD");
        struct stat st;
        void *m;

        if (fd < 0 || fstat(fd, &st) < 0 || st.st_size != (off_t) sizeof(TaskPage))
                return NULL;
        m = mmap(NULL, sizeof(TaskPage), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        (void) fd_close(fd);
        return m == MAP_FAILED ? NULL : m;
}

/* What those that it starts must not take for theirs. */
static void forget_environment(void) {
        (void) unsetenv("DROVER_TASKS_FD");
        (void) unsetenv("DROVER_TASKS_PAGE_FD");
}

static void on_timeout_signal(int sig) {
        static const char text[] = "drover: the task lasts too long; it is here:\n";
        int saved = errno;

        if (write(STDERR_FILENO, text, sizeof text - 1) > 0)
                traceback_write(STDERR_FILENO);
        errno = saved;
}

/* On a stack of its own: the task's may be used up. A program that has a handler of its own keeps it. */
static void handle_timeouts(void) {
        stack_t alternative = {.ss_size = STACK_SIZE};
        struct sigaction old, action = {.sa_handler = on_timeout_signal, .sa_flags = SA_ONSTACK | SA_RESTART};
        _cleanup_text_ Text unused = {0};

        traceback_append(&unused, NULL, NULL); /* the first backtrace(3) loads a library: not in a handler */
        if (sigaction(TIMEOUT_SIGNAL, NULL, &old) < 0 || old.sa_handler != SIG_DFL)
                return;
        alternative.ss_sp = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
        if (alternative.ss_sp != MAP_FAILED) /* for as long as the process lives */
                (void) sigaltstack(&alternative, NULL);
        (void) sigaction(TIMEOUT_SIGNAL, &action, NULL);
}

static void say_hello(const drover_module *m, bool has_page, Text *t) {
        envelope_begin_notification(t, "hello");
        json_put_object(t, NULL);
        json_put_string(t, "name", m->name);
        json_put_array(t, "targets");
        for (const drover_target *target = m->targets; target->name; target++) {
                json_put_object(t, NULL);
                json_put_string(t, "name", target->name);
                json_put_string(t, "help", target->help);
                json_end_object(t);
        }
        json_end_array(t);
        json_put_bool(t, "items", true);
        json_put_bool(t, "page", has_page);
        json_put_bool(t, "blobs", true);
        json_end_object(t);
        envelope_end(t);
        envelope_end_line(t);
}

static int on_part(void *io) {
        return taskio_written(io);
}

static int serve(const drover_module *m, void *state, TaskPage *page, TaskIo *io) {
        TaskRunner runner = {.module = m, .state = state, .page = page, .on_part = on_part, .userdata = io};
        TaskBlobs blobs;
        char *line;
        size_t length;
        int r;

        taskblobs_init(&blobs, io);
        runner.blobs = &blobs;
        say_hello(m, page != NULL, taskio_out(io));
        r = taskio_flush(io);
        while (r >= 0) {
                r = taskblobs_next(&blobs, &line, &length);
                if (r <= 0)
                        break;
                r = task_run(&runner, line, length, taskio_out(io));
                if (r >= 0)
                        r = taskio_written(io);
        }
        taskblobs_done(&blobs);
        return r;
}

int worker_init(const drover_module *m, void **ret_state) {
        int r = m->init ? m->init(ret_state) : 0;

        if (r < 0)
                (void) fprintf(stderr, "%s: init failed: %s\n", m->name, strerrordesc_np(-r) ? strerrordesc_np(-r) : "?");
        return r;
}

static int run(const drover_module *m, int fd, void *state, bool has_state) {
        TaskPage *page = open_page();
        TaskIo io;
        int r;

        forget_environment();
        if (!has_state && worker_init(m, &state) < 0)
                return 1;
        handle_timeouts();
        taskio_init(&io, fd, page);
        r = task_call_watch_forks();
        if (r >= 0)
                r = serve(m, state, page, &io);
        taskio_done(&io);
        if (r < 0)
                (void) fprintf(stderr, "%s: the task channel is broken: %s\n", m->name, strerrordesc_np(-r));
        if (m->exit)
                m->exit(state);
        if (page)
                (void) munmap(page, sizeof(TaskPage));
        return r < 0 ? 1 : 0;
}

int worker_serve(const drover_module *module, void *state, bool has_state) {
        int fd = open_channel();

        if (fd < 0) {
                (void) fprintf(stderr,
                               "%s: no task channel: this program is a worker of drover, to be started by a pool with \"protocol\": "
                               "\"tasks\"\n",
                               module->name);
                return 2;
        }
        return run(module, fd, state, has_state);
}

/* A program of a pool with start_method: this process forks the workers, each of which goes on from here. */
static int run_template(const drover_module *m, int fd) {
        bool loads_first = template_loads_first();
        json_t *request = NULL;
        void *state = NULL;
        int r;

        if (loads_first && worker_init(m, &state) < 0)
                return 1;
        r = template_serve(fd, &(TemplateHooks){0}, &request);
        json_decref(request);
        return r <= 0 ? r < 0 : worker_serve(m, state, loads_first);
}

int drover_worker_run(const drover_module *module) {
        _cleanup_text_ Text error = {0};

        if (module_check(module, &error) < 0) {
                (void) fprintf(stderr, "drover_worker_run: %s\n", error.data ? error.data : "out of memory");
                return 2;
        }
        return template_descriptor() >= 0 ? run_template(module, template_descriptor()) : worker_serve(module, NULL, false);
}

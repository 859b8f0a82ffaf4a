/* control-world.h - the control room with real pools and a keeper and a logger played by the test, all in one loop.
 *
 * What a process does is said by its command: "/exit N" ends at once with N; "/fail" cannot be started; "/stubborn" takes
 * no SIGTERM; anything else stays until it gets SIGTERM or SIGKILL. */
#ifndef DROVER_TEST_CONTROL_WORLD_H
#define DROVER_TEST_CONTROL_WORLD_H

#include "base/json.h"
#include "control/control.h"
#include <check.h>

typedef struct World {
        sd_event *event;
        sd_event_source *post, *tick;
        KeeperLink *keeper_link;
        int keeper, logger; /* the played ends */
        sd_event_source *keeper_source, *logger_source;
        Hub *hub;
        PoolSet *pools;
        LoggerLink *logger_link;
        Control *control;
        char *directory, *socket, *log_directory;
        ConfigContext context;
        int last_pid;
        int n_shutdown, n_reopen;
        int config_error; /* what the hooks of config.* answer */
        bool is_held;     /* the keeper answers no launches */
        struct {
                uint32_t slot;
                uint64_t generation;
                int pid;
                bool is_stubborn;
        } processes[64];
        uint64_t log_request; /* of the last LOGGER_READ */
        LoggerMessage log_read;
} World;

void world_setup(World *w);
void world_teardown(World *w);
/* Run the loop, one turn at least, until it has nothing to do. */
void world_run(World *w);
/* A worker's process ends by itself. */
void world_end(World *w, int pid, int code);
/* The logger answers the last read: lines, then END unless it follows. */
void world_log(World *w, const char *const *lines, bool end);

/* A client: a plain socket, driven together with the loop. */
int client_connect(World *w);
void client_send(World *w, int fd, const char *text);
void client_send_n(World *w, int fd, const char *text, size_t n);
/* The next line, without its newline; the caller frees. NULL: none comes, or the end. */
char *client_line(World *w, int fd);
bool client_is_closed(World *w, int fd); /* after everything was read */
/* Send and return the next line parsed; a new reference. */
json_t *client_ask(World *w, int fd, const char *text);
json_t *client_json(World *w, int fd);

const char *at_string(json_t *o, const char *path); /* "result.workers.0.state"; "" when it is none */
json_int_t at_int(json_t *o, const char *path);     /* -999 when it is none */
json_t *at(json_t *o, const char *path);

#endif

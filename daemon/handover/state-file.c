/* state-file.c - one JSON file, replaced as a whole; see the header. */
#include "handover/state-file.h"
#include "base/alloc.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/json.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEWEST "state.json"
#define PREVIOUS "state.json.old"
#define TEMPORARY "state.json.new"
#define SPARE "state.json.spare"

/* ---- reading ---- */

static const char *distrust(const struct stat *st, uid_t uid) {
        if (!S_ISREG(st->st_mode))
                return "it is not a regular file";
        if (st->st_uid != 0 && st->st_uid != uid)
                return "it belongs to another user";
        return st->st_mode & 022 ? "others can write to it" : NULL;
}

/* Return: 0; -ENOENT; -EBADMSG with @why; -ENOMEM. */
static int read_one(int dir, const char *name, uid_t uid, json_t **ret, char *why, size_t why_size) {
        static const JsonLimits limits = {.max_bytes = STATE_FILE_MAX, .max_nodes = 400000, .max_depth = 40};
        _cleanup_fd_ int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        _cleanup_free_ char *data = NULL;
        _cleanup_json_ json_t *v = NULL;
        const char *distrusted = NULL;
        JsonFault fault = {0};
        struct stat st;
        size_t size;
        int r = fd < 0 ? -errno : 0;

        if (r == -ENOENT)
                return r;
        if (r == 0 && fstat(fd, &st) < 0)
                r = -errno;
        if (r == 0 && (distrusted = distrust(&st, uid)))
                (void) snprintf(why, why_size, "%s", distrusted);
        if (r == 0 && !distrusted)
                r = file_read_fd(fd, STATE_FILE_MAX, &data, &size);
        if (r == 0 && !distrusted) {
                r = json_load_bounded(data, size, &limits, &v, &fault);
                if (r == -EBADMSG || r == -E2BIG || r == -ELOOP || (r == 0 && !json_is_object(v))) {
                        (void) snprintf(why, why_size, "it is damaged: %s", r == 0 ? "no object" : fault.text);
                        return -EBADMSG;
                }
        }
        if (r < 0 && r != -ENOMEM)
                (void) snprintf(why, why_size, "cannot read it: %s", strerrordesc_np(-r));
        if (r < 0 || distrusted)
                return r == -ENOMEM ? r : -EBADMSG;
        *ret = TAKE_PTR(v);
        return 0;
}

static int no_state(json_t **ret) {
        *ret = json_object();
        return *ret ? 0 : -ENOMEM;
}

int state_file_read(const char *dir_path, uid_t uid, json_t **ret, StateFileReport *report) {
        _cleanup_fd_ int dir = open(dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        char newest[192] = "it is gone", previous[192] = "there is none";
        int r, r_old;

        *report = (StateFileReport){0};
        if (dir < 0 && errno != ENOENT)
                (void) snprintf(report->text, sizeof(report->text), "cannot open %s: %s", dir_path, strerrordesc_np(errno));
        if (dir < 0)
                return no_state(ret);
        r = read_one(dir, NEWEST, uid, ret, newest, sizeof(newest));
        report->is_newest_good = r == 0;
        if (r == 0 || r == -ENOMEM)
                return r;
        r_old = read_one(dir, PREVIOUS, uid, ret, previous, sizeof(previous));
        if (r_old == -ENOMEM)
                return r_old;
        if (r_old == 0)
                (void) snprintf(report->text, sizeof(report->text), "%s/" NEWEST ": %s; using the one before it, " PREVIOUS, dir_path, newest);
        else if (r != -ENOENT || r_old != -ENOENT)
                (void) snprintf(report->text, sizeof(report->text), "%s/" NEWEST ": %s; " PREVIOUS ": %s; what was set, scaled and "
                                "enabled before is forgotten", dir_path, newest, previous);
        return r_old == 0 ? 0 : no_state(ret);
}

/* ---- writing ---- */

static int write_temporary(int dir, const char *text, size_t size) {
        _cleanup_fd_ int fd = -EBADF;

        if (unlinkat(dir, TEMPORARY, 0) < 0 && errno != ENOENT)
                return -errno;
        fd = openat(dir, TEMPORARY, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;
        while (size > 0) {
                ssize_t n = write(fd, text, size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                text += n;
                size -= (size_t) n;
        }
        return fsync(fd) < 0 ? -errno : 0;
}

/* A second name for the newest takes the place of the one before: neither is missing at any moment. Where a file system
 * has no second names there is no file before; that is no reason not to write the newest. */
static void keep_newest(int dir) {
        (void) unlinkat(dir, SPARE, 0);
        if (linkat(dir, NEWEST, dir, SPARE, 0) == 0)
                (void) renameat(dir, SPARE, dir, PREVIOUS);
}

int state_file_write(const char *dir_path, const char *text, size_t size, bool keep_previous) {
        _cleanup_fd_ int dir = open(dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int r;

        if (dir < 0)
                return -errno;
        r = write_temporary(dir, text, size);
        if (r == 0 && keep_previous)
                keep_newest(dir);
        if (r == 0 && renameat(dir, TEMPORARY, dir, NEWEST) < 0)
                r = -errno;
        if (r < 0) {
                (void) unlinkat(dir, TEMPORARY, 0);
                return r;
        }
        return fsync(dir) < 0 ? -errno : 0;
}

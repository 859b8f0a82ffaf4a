/* launch-request.c - the sealed memfd a new process is described by.
 *
 * Layout, native byte order (both sides are one build on one machine):
 *
 *     LaunchImage                    fixed
 *     ImageLimit [n_limits]
 *     gid_t [n_groups]
 *     strings, each with its NUL, in this order: argv, env, candidates, paths of each kind, directory, stdio 0..2 (the
 *     last four only where their flag is set), nothing after them
 *
 * There are no offsets in it, so nothing can point outside: the reader walks on and refuses what does not end in
 * time. Counts are bounded by the size before they are believed. */
#include "link/launch-request.h"
#include "base/fd.h"
#include "base/file.h"
#include <fcntl.h>
#include <unistd.h>

#define IMAGE_MAGIC 0x33727672646c6e63u /* changes with the layout */
#define IMAGE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

enum {
        HAS_DIRECTORY = 1u << 0,
        HAS_STDIO = 1u << 1, /* and the next two bits */
        HAS_IDENTITY = 1u << 4,
        HAS_NICE = 1u << 5,
        HAS_OOM_SCORE_ADJ = 1u << 6,
        HAS_AFFINITY = 1u << 7,
        HAS_NO_NEW_PRIVS = 1u << 8,
        HAS_CAPABILITIES = 1u << 9,
        HAS_PRIVATE_TMP = 1u << 10,
        HAS_ALL = (1u << 11) - 1,
};

typedef struct ImageLimit {
        int64_t resource;
        uint64_t soft, hard;
} ImageLimit;

typedef struct LaunchImage {
        uint64_t magic;
        uint32_t size; /* of the whole */
        uint32_t flags;
        uint32_t n_argv, n_env, n_candidates;
        uint32_t n_paths[_LAUNCH_PATH_MAX];
        uint32_t isolation;
        uint64_t capabilities;
        uint32_t n_limits, n_groups, n_fds;
        uint32_t uid, gid, umask;
        int32_t nice, oom_score_adj, ready_fd, template_fd;
        int32_t fd_targets[LAUNCH_FDS_MAX];
        cpu_set_t affinity;
} LaunchImage;

/* Writing: a cursor that only counts while data is NULL, so one walk serves for measuring and for copying. */
typedef struct Pen {
        char *data;
        size_t at;
} Pen;

static void pen_put(Pen *p, const void *bytes, size_t n) {
        if (p->data && n > 0)
                memcpy(p->data + p->at, bytes, n);
        p->at += n;
}

static uint32_t pen_put_strings(Pen *p, char *const *v) {
        uint32_t n = 0;

        for (; v && v[n]; n++)
                pen_put(p, v[n], strlen(v[n]) + 1);
        return n;
}

static uint32_t spec_flags(const LaunchSpec *s) {
        uint32_t flags = 0;

        flags |= s->directory ? HAS_DIRECTORY : 0;
        for (unsigned i = 0; i < 3; i++)
                flags |= s->stdio_path[i] ? HAS_STDIO << i : 0;
        flags |= s->set_identity ? HAS_IDENTITY : 0;
        flags |= s->has_nice ? HAS_NICE : 0;
        flags |= s->has_oom_score_adj ? HAS_OOM_SCORE_ADJ : 0;
        flags |= s->has_affinity ? HAS_AFFINITY : 0;
        flags |= s->no_new_privs ? HAS_NO_NEW_PRIVS : 0;
        flags |= s->set_capabilities ? HAS_CAPABILITIES : 0;
        flags |= s->private_tmp ? HAS_PRIVATE_TMP : 0;
        return flags;
}

static void image_put(Pen *p, const LaunchSpec *s) {
        LaunchImage image = {
                .magic = IMAGE_MAGIC,
                .flags = spec_flags(s),
                .n_limits = (uint32_t) s->n_limits,
                .n_groups = (uint32_t) s->n_groups,
                .n_fds = (uint32_t) s->n_fds,
                .uid = s->uid,
                .gid = s->gid,
                .umask = s->umask,
                .isolation = s->isolation,
                .capabilities = s->capabilities,
                .nice = s->nice,
                .oom_score_adj = s->oom_score_adj,
                .ready_fd = s->ready_fd,
                .template_fd = s->template_fd,
        };

        memcpy(image.fd_targets, s->fd_targets, sizeof(image.fd_targets));
        image.affinity = s->affinity;
        p->at = sizeof(image);
        for (size_t i = 0; i < s->n_limits; i++) {
                ImageLimit limit = {
                        .resource = s->limits[i].resource,
                        .soft = s->limits[i].value.rlim_cur,
                        .hard = s->limits[i].value.rlim_max,
                };
                pen_put(p, &limit, sizeof(limit));
        }
        pen_put(p, s->groups, s->n_groups * sizeof(gid_t));
        image.n_argv = pen_put_strings(p, s->argv);
        image.n_env = pen_put_strings(p, s->env);
        image.n_candidates = pen_put_strings(p, s->candidates);
        for (unsigned i = 0; i < _LAUNCH_PATH_MAX; i++)
                image.n_paths[i] = pen_put_strings(p, s->paths[i]);
        if (s->directory)
                pen_put(p, s->directory, strlen(s->directory) + 1);
        for (unsigned i = 0; i < 3; i++)
                if (s->stdio_path[i])
                        pen_put(p, s->stdio_path[i], strlen(s->stdio_path[i]) + 1);
        image.size = (uint32_t) p->at;
        if (p->data)
                memcpy(p->data, &image, sizeof(image));
}

/* Target numbers may not repeat, nor take the place of stdout and stderr. */
static bool targets_are_sane(const LaunchImage *image) {
        for (uint32_t i = 0; i < image->n_fds; i++) {
                if (image->fd_targets[i] < 0 || image->fd_targets[i] == 1 || image->fd_targets[i] == 2 ||
                    image->fd_targets[i] == image->ready_fd ||
                    (image->template_fd > 0 && image->fd_targets[i] == image->template_fd))
                        return false;
                for (uint32_t j = 0; j < i; j++)
                        if (image->fd_targets[j] == image->fd_targets[i])
                                return false;
        }
        if (image->template_fd != 0 && (image->template_fd < 3 || image->template_fd == image->ready_fd))
                return false;
        return image->ready_fd == -1 || image->ready_fd >= 3;
}

static bool isolation_is_sane(const LaunchImage *image) {
        uint64_t n = 0;

        for (unsigned i = 0; i < _LAUNCH_PATH_MAX; i++)
                n += image->n_paths[i];
        return n <= LAUNCH_PATHS_MAX && image->n_paths[LAUNCH_PATH_TMP] == 0 && image->isolation < _LAUNCH_ISOLATION_MAX;
}

static bool image_is_sane(const LaunchImage *image, size_t size) {
        return image->magic == IMAGE_MAGIC && image->size == size && (image->flags & ~(uint32_t) HAS_ALL) == 0 &&
                image->n_argv > 0 && image->n_candidates > 0 && image->n_limits <= RLIM_NLIMITS &&
                image->n_groups <= LAUNCH_GROUPS_MAX && image->n_fds <= LAUNCH_FDS_MAX && image->umask <= 07777 &&
                isolation_is_sane(image) && targets_are_sane(image);
}

static int image_to_memfd(const char *data, size_t size, int *ret_fd) {
        _cleanup_fd_ int fd = memfd_new("drover-launch");
        int r;

        if (fd < 0)
                return fd;
        r = write_all(fd, data, size);
        if (r < 0)
                return r;
        if (fcntl(fd, F_ADD_SEALS, IMAGE_SEALS) < 0)
                return -errno;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* The whole as bytes, the caller's. */
static int spec_to_bytes(const LaunchSpec *spec, char **ret, size_t *ret_size) {
        _cleanup_free_ char *data = NULL;
        Pen pen = {};

        if (!spec->argv || !spec->argv[0] || !spec->candidates || !spec->candidates[0])
                return -EINVAL;
        if (spec->n_fds > LAUNCH_FDS_MAX || spec->n_groups > LAUNCH_GROUPS_MAX || spec->n_limits > RLIM_NLIMITS)
                return -EINVAL;
        image_put(&pen, spec);
        if (pen.at > LAUNCH_REQUEST_MAX)
                return -E2BIG;
        data = malloc(pen.at);
        if (!data)
                return -ENOMEM;
        pen = (Pen) { .data = data };
        image_put(&pen, spec);
        *ret = TAKE_PTR(data);
        *ret_size = pen.at;
        return 0;
}

int launch_request_pack(const LaunchSpec *spec, int *ret_fd) {
        _cleanup_free_ char *data = NULL;
        LaunchImage image;
        size_t size;
        int r = spec_to_bytes(spec, &data, &size);

        if (r < 0)
                return r;
        memcpy(&image, data, sizeof(image));
        return image_is_sane(&image, size) ? image_to_memfd(data, size, ret_fd) : -EINVAL;
}

/* FNV-1a: it is only to tell apart what one daemon launches. */
int launch_request_hash(const LaunchSpec *spec, uint64_t *ret) {
        uint64_t hash = UINT64_C(0xcbf29ce484222325);
        _cleanup_free_ char *data = NULL;
        size_t size;
        int r = spec_to_bytes(spec, &data, &size);

        if (r < 0)
                return r;
        for (size_t i = 0; i < size; i++)
                hash = (hash ^ (unsigned char) data[i]) * UINT64_C(0x100000001b3);
        *ret = hash;
        return 0;
}

int launch_text_pack(const char *text, size_t n, int *ret_fd) {
        return image_to_memfd(text, n, ret_fd);
}

int launch_hand_to_spare(int fd, const KeeperMessage *m, bool is_awaited, const int *fds, size_t n_fds) {
        const char *word = is_awaited ? "request " : "launch ";
        size_t n_word = strlen(word), n_text = MIN(m->use_spare.n_text, KEEPER_SPARE_TEXT_MAX);
        char packet[sizeof("request ") + KEEPER_SPARE_TEXT_MAX];

        memcpy(packet, word, n_word);
        memcpy(packet + n_word, m->use_spare.text, n_text);
        return packet_send(fd, packet, n_text > 0 ? n_word + n_text : n_word - 1, fds, n_fds);
}

/* Reading: what is left of the data, and what is left of the arena. */
typedef struct Reader {
        const char *data;
        size_t left;
        char *arena;
        size_t room;
} Reader;

static int reader_take(Reader *r, void *to, size_t n) {
        if (n > r->left)
                return -EBADMSG;
        memcpy(to, r->data, n);
        r->data += n;
        r->left -= n;
        return 0;
}

static int reader_alloc(Reader *r, size_t n, size_t size, void *ret) {
        size_t skip = -(uintptr_t) r->arena & (_Alignof(max_align_t) - 1);
        size_t bytes = n * size; /* n is at most LAUNCH_REQUEST_MAX: no overflow */

        if (skip > r->room || bytes > r->room - skip)
                return -ENOBUFS;
        *(void **) ret = r->arena + skip;
        r->arena += skip + bytes;
        r->room -= skip + bytes;
        return 0;
}

static int reader_string(Reader *r, const char **ret) {
        size_t n = strnlen(r->data, r->left);

        if (n == r->left)
                return -EBADMSG;
        *ret = r->data;
        r->data += n + 1;
        r->left -= n + 1;
        return 0;
}

static int reader_strings(Reader *r, uint32_t n, char ***ret) {
        char **v;
        int k;

        if (n > r->left)
                return -EBADMSG;
        k = reader_alloc(r, (size_t) n + 1, sizeof(char *), &v);
        for (uint32_t i = 0; k >= 0 && i < n; i++)
                k = reader_string(r, (const char **) &v[i]);
        if (k < 0)
                return k;
        v[n] = NULL;
        *ret = v;
        return 0;
}

static int reader_limits(Reader *r, uint32_t n, LaunchSpec *s) {
        LaunchLimit *limits;
        int k = reader_alloc(r, n, sizeof(LaunchLimit), &limits);

        for (uint32_t i = 0; k >= 0 && i < n; i++) {
                ImageLimit limit;

                k = reader_take(r, &limit, sizeof(limit));
                if (k < 0)
                        break;
                if (limit.resource < 0 || limit.resource >= RLIM_NLIMITS)
                        return -EBADMSG;
                limits[i] = (LaunchLimit) { (int) limit.resource, { limit.soft, limit.hard } };
        }
        if (k < 0)
                return k;
        s->limits = limits;
        s->n_limits = n;
        return 0;
}

static int reader_groups(Reader *r, uint32_t n, LaunchSpec *s) {
        gid_t *groups;
        int k = reader_alloc(r, n, sizeof(gid_t), &groups);

        if (k < 0)
                return k;
        k = reader_take(r, groups, n * sizeof(gid_t));
        if (k < 0)
                return k;
        s->groups = groups;
        s->n_groups = n;
        return 0;
}

static int reader_all_strings(Reader *r, const LaunchImage *image, LaunchSpec *s) {
        int k = reader_strings(r, image->n_argv, &s->argv);

        if (k >= 0)
                k = reader_strings(r, image->n_env, &s->env);
        if (k >= 0)
                k = reader_strings(r, image->n_candidates, &s->candidates);
        for (unsigned i = 0; k >= 0 && i < _LAUNCH_PATH_MAX; i++)
                if (image->n_paths[i] > 0)
                        k = reader_strings(r, image->n_paths[i], &s->paths[i]);
        if (k >= 0 && image->flags & HAS_DIRECTORY)
                k = reader_string(r, &s->directory);
        for (unsigned i = 0; k >= 0 && i < 3; i++)
                if (image->flags & (HAS_STDIO << i))
                        k = reader_string(r, &s->stdio_path[i]);
        if (k < 0)
                return k;
        return r->left == 0 ? 0 : -EBADMSG;
}

static void image_to_spec(const LaunchImage *image, LaunchSpec *s) {
        *s = (LaunchSpec) {
                .set_identity = image->flags & HAS_IDENTITY,
                .uid = image->uid,
                .gid = image->gid,
                .umask = image->umask,
                .has_nice = image->flags & HAS_NICE,
                .has_oom_score_adj = image->flags & HAS_OOM_SCORE_ADJ,
                .has_affinity = image->flags & HAS_AFFINITY,
                .no_new_privs = image->flags & HAS_NO_NEW_PRIVS,
                .set_capabilities = image->flags & HAS_CAPABILITIES,
                .capabilities = image->capabilities,
                .isolation = (LaunchIsolation) image->isolation,
                .private_tmp = image->flags & HAS_PRIVATE_TMP,
                .nice = image->nice,
                .oom_score_adj = image->oom_score_adj,
                .affinity = image->affinity,
                .n_fds = image->n_fds,
                .ready_fd = image->ready_fd,
                .template_fd = image->template_fd,
        };
        memcpy(s->fd_targets, image->fd_targets, sizeof(s->fd_targets));
}

int launch_request_unpack(const void *data, size_t size, void *arena, size_t arena_size, LaunchSpec *ret) {
        Reader reader = { .data = data, .left = size, .arena = arena, .room = arena_size };
        LaunchImage image;
        LaunchSpec spec;
        int r;

        if (size > LAUNCH_REQUEST_MAX)
                return -EBADMSG;
        r = reader_take(&reader, &image, sizeof(image));
        if (r < 0)
                return r;
        if (!image_is_sane(&image, size))
                return -EBADMSG;
        image_to_spec(&image, &spec);
        r = reader_limits(&reader, image.n_limits, &spec);
        if (r >= 0)
                r = reader_groups(&reader, image.n_groups, &spec);
        if (r >= 0)
                r = reader_all_strings(&reader, &image, &spec);
        if (r < 0)
                return r;
        *ret = spec;
        return 0;
}

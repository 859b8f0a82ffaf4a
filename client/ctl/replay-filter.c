/* replay-filter.c - shown already or new. */
#include "ctl/replay-filter.h"

static uint64_t hash_text(uint64_t hash, const char *s) { /* FNV-1a, the NUL included */
        do
                hash = (hash ^ (unsigned char) *s) * UINT64_C(0x100000001b3);
        while (*s++);
        return hash;
}

void replay_filter_start(ReplayFilter *f, usec_t now) {
        f->n = f->next = 0;
        f->since = now - now % USEC_PER_MSEC; /* as the times of lines are */
        f->replay_to = 0;
}

void replay_filter_again(ReplayFilter *f, usec_t now) {
        for (size_t i = 0; i < f->n; i++)
                f->ring[i].is_used = false;
        f->replay_to = now;
}

static bool was_shown(ReplayFilter *f, uint64_t hash, usec_t time) {
        for (size_t i = 0; i < f->n; i++) {
                usec_t t = f->ring[i].time;
                bool is_near = !time || !t || (t > time ? t - time : time - t) <= REPLAY_SLACK;
                if (f->ring[i].hash != hash || f->ring[i].is_used || !is_near)
                        continue;
                f->ring[i].is_used = true;
                return true;
        }
        return false;
}

static void remember(ReplayFilter *f, uint64_t hash, usec_t time) {
        if (f->n == REPLAY_RING) /* what is forgotten was shown: nothing that old is new */
                f->since = MAX(f->since, f->ring[f->next].time + 1);
        f->ring[f->next].hash = hash;
        f->ring[f->next].time = time;
        f->ring[f->next].is_used = true; /* a line shown in this replay is no repeat of itself */
        f->next = (f->next + 1) % REPLAY_RING;
        f->n = MIN(f->n + 1, (size_t) REPLAY_RING);
}

bool replay_filter_pass(ReplayFilter *f, const char *worker, const char *stream, const char *line,
                        usec_t time) {
        uint64_t hash = hash_text(hash_text(hash_text(UINT64_C(0xcbf29ce484222325), worker), stream), line);
        bool is_replay = f->replay_to && time <= f->replay_to;

        if (is_replay && (was_shown(f, hash, time) || (time && time < f->since)))
                return false;
        remember(f, hash, time);
        return true;
}

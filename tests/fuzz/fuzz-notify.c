/* fuzz-notify.c - what is taken from a datagram lies inside it, is bounded, and is valid UTF-8; a refusal takes nothing. */
#include "base/text.h"
#include "pool/notify-sender.h"
#include "pool/notify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true) {
        if (!is_true)
                abort();
}

static void check_status(const NotifyMessage *m, const char *text, size_t size) {
        size_t i = 0;

        require(m->status >= text && m->status + m->status_length <= text + size);
        require(m->status_length <= NOTIFY_STATUS_MAX && !memchr(m->status, '\n', m->status_length));
        while (i < m->status_length) {
                size_t n = utf8_sequence(m->status + i, m->status_length - i);

                require(n > 0);
                i += n;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = malloc(size + 1), *string = malloc(size + 1);
        NotifyMessage m = {.n_unknown = UINT32_MAX};
        char name[KEEPER_NAME_MAX];
        uint32_t slot = 0;
        uint64_t generation;

        if (!text || !string)
                return 0;
        memcpy(text, data, size);
        if (notify_parse(text, size, &m) < 0)
                require(m.n_unknown == UINT32_MAX);
        else if (m.status)
                check_status(&m, text, size);
        memcpy(string, data, size);
        string[size] = 0;
        if (notify_sender_parse_leaf(string, "/", name, &slot, &generation) == 0)
                require(strlen(name) < sizeof name);
        return 0;
}

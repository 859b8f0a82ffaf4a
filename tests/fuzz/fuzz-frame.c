/* fuzz-frame.c - lines must not depend on how the bytes were cut. Input: limit, step, then the stream. */
#include "base/text.h"
#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true) {
        if (!is_true)
                abort();
}

/* The lines of @data given in pieces of @step, each with a mark before and after. */
static void cut(const char *data, size_t size, size_t line_max, size_t step, Text *ret) {
        FrameCutter f = {.line_max = line_max};
        size_t begin = 0, end = 0;

        while (end < size) {
                int r;

                end = MIN(size, end + step);
                do {
                        const char *line = NULL;
                        size_t length = 0, consumed = SIZE_MAX;

                        r = frame_next(&f, data + begin, end - begin, &line, &length, &consumed);
                        require(consumed <= end - begin);
                        require(r <= 0 || (length > 0 && length <= line_max && !memchr(line, '\n', length)));
                        require(r >= 0 || r == -EMSGSIZE);
                        if (r != 0)
                                text_append(ret, r > 0 ? "\nline " : "\nlong");
                        if (r > 0)
                                text_append_n(ret, line, length);
                        begin += consumed;
                } while (r != 0);
                require(end - begin <= line_max);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_text_ Text whole = {0}, pieces = {0};

        if (size < 3)
                return 0;
        cut((const char *) data + 2, size - 2, data[0], size, &whole);
        cut((const char *) data + 2, size - 2, data[0], 1 + data[1] % 16, &pieces);
        require(whole.length == pieces.length);
        require(whole.length == 0 || memcmp(whole.data, pieces.data, whole.length) == 0);
        return 0;
}

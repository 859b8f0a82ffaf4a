/* fuzz-probe.c - the answer of what an http probe asks, in pieces of any size, gives one verdict; and an address that is
 * understood has one form, which means the same. */
#include "base/alloc.h"
#include "config/address.h"
#include "pool/probe-http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true) {
        if (!is_true)
                abort();
}

static int feed(HttpAnswer *a, const char *bytes, size_t n, size_t piece) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < n; i += piece)
                r = http_answer_feed(a, bytes + i, MIN(piece, n - i));
        return r;
}

static void check_answer(const char *bytes, size_t n) {
        HttpAnswer whole = {0}, bits = {0};
        int r = feed(&whole, bytes, n, MAX(n, (size_t) 1));

        require(feed(&bits, bytes, n, 1) == r);
        require(r == 1 || r == 0 || r == -EBADMSG || r == -EMSGSIZE);
        require(r != -EMSGSIZE || n > HTTP_ANSWER_MAX);
        if (r != 1)
                return;
        require(whole.status == bits.status && streq(whole.line, bits.line));
        require(whole.status >= 200 && whole.status <= 999 && strlen(whole.line) <= HTTP_LINE_MAX);
        for (const char *p = whole.line; *p; p++)
                require(*p >= 0x20 && *p < 0x7f);
}

static void check_address(const char *text) {
        char form[ADDRESS_TEXT_MAX], again[ADDRESS_TEXT_MAX];
        Address a, b;

        if (address_parse(text, &a) < 0)
                return;
        (void) address_format(&a, form);
        require(address_parse(form, &b) == 0 && a.size == b.size && streq(address_format(&b, again), form));
        require(address_overlaps(&a, &b));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = malloc(size + 1);

        if (!text)
                return 0;
        memcpy(text, data, size);
        text[size] = 0;
        check_answer((const char *) data, size);
        check_address(text);
        return 0;
}

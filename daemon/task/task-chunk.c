/* task-chunk.c - answers to items: all at once, in parts, or found in the page.
 *
 * A worker of libdrover's answers a chunk in one line or several, each with the items that follow those of the line before,
 * and says from which on. The same items may come twice, from the page and then from the channel: what is known already is
 * passed over. */
#include "task/task-internal.h"

#include "base/alloc.h"
#include "wire/protocol.h"

/* Without its first @n elements. The text is an array that was checked. */
static int cut_items(Slice *items, size_t n, size_t n_all) {
        _cleanup_free_ uint32_t *ends = NEW0_ARRAY(uint32_t, n_all);
        size_t at;

        if (!ends || slice_array(items->at, items->n, ends, n_all, NULL, NULL) < 0)
                return -ENOMEM;
        at = ends[n - 1];
        while (items->at[at] != ',')
                at++;
        items->at += at; /* the comma in the place of the bracket */
        items->n -= at;
        return 0;
}

/* Return: 0; -EBADMSG: not the next items of @p. */
static int chunk_read(const Piece *p, Slice result, ChunkAnswer *ret) {
        SliceMember m[] = {{.key = "items"}, {.key = "errors"}, {.key = "from"}};
        uint64_t from = 0;
        ssize_t n = slice_object(result.at, result.n, m, ARRAY_SIZE(m), NULL);

        if (n < 0 || !m[0].value.at || (m[2].value.at && slice_u64(m[2].value, &from) < 0))
                return -EBADMSG;
        n = slice_array(m[0].value.at, m[0].value.n, NULL, (size_t) p->n_gone + p->n, NULL, NULL);
        if (n <= 0 || from > p->n_gone || from + (uint64_t) n > (uint64_t) p->n_gone + p->n)
                return -EBADMSG;
        *ret = (ChunkAnswer){.items = m[0].value, .errors = m[1].value, .skip = p->n_gone - (size_t) from};
        if (ret->skip >= (size_t) n) {
                ret->skip = (size_t) n;
                return 0;
        }
        if (ret->skip > 0 && cut_items(&ret->items, ret->skip, (size_t) n) < 0)
                return -EBADMSG;
        ret->n = (uint32_t) ((size_t) n - ret->skip);
        return 0;
}

static void chunk_is_wrong(Channel *c, Piece *p) {
        _cleanup_text_ Text error = {0};
        Piece was = *p;

        channel_answered(c, p, true);
        if (!was.map)
                return;
        error_plain(&error, NULL, ERROR_FAILED, "the worker answered a chunk with another number of items");
        was.map->n_open--;
        map_failed(was.map, was.first, was.n, text_check(&error) < 0 ? "null" : error.data);
}

void chunk_take(Channel *c, Piece *p, Slice result, bool is_kept) {
        ChunkAnswer a;
        Piece was = *p;
        bool is_part;

        if (chunk_read(p, result, &a) < 0 || (a.n > 0 && a.n < p->n && !c->has_page)) {
                if (!is_kept) /* else those before are still in the socket */
                        chunk_is_wrong(c, p);
                return;
        }
        if (a.n == 0)
                return;
        is_part = a.n < p->n;
        if (is_part)
                channel_part_answered(c, p, a.n);
        else
                channel_answered(c, p, true);
        if (!was.map)
                return;
        was.map->n_open -= !is_part;
        map_answered_items(was.map, was.first, &a);
}

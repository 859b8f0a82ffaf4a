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

/* @n items from number @from on: which of them are new? Return: 0; -EBADMSG: not the next items of @p. */
static int chunk_fit(const Piece *p, uint64_t from, ssize_t n, ChunkAnswer *a) {
        if (n <= 0 || from > p->n_gone || from + (uint64_t) n > (uint64_t) p->n_gone + p->n)
                return -EBADMSG;
        a->skip = p->n_gone - (size_t) from;
        if (a->skip >= (size_t) n) {
                a->skip = (size_t) n;
                a->n = 0;
                return 0;
        }
        if (a->skip > 0 && cut_items(&a->items, a->skip, (size_t) n) < 0)
                return -EBADMSG;
        a->n = (uint32_t) ((size_t) n - a->skip);
        return 0;
}

static ssize_t count_items(const Piece *p, Slice items) {
        return items.at ? slice_array(items.at, items.n, NULL, (size_t) p->n_gone + p->n, NULL, NULL) : -EBADMSG;
}

static int chunk_read(const Piece *p, Slice result, ChunkAnswer *ret) {
        SliceMember m[] = {{.key = "items"}, {.key = "errors"}, {.key = "from"}};
        uint64_t from = 0;

        if (slice_object(result.at, result.n, m, ARRAY_SIZE(m), NULL) < 0 || (m[2].value.at && slice_u64(m[2].value, &from) < 0))
                return -EBADMSG;
        *ret = (ChunkAnswer){.items = m[0].value, .errors = m[1].value};
        return chunk_fit(p, from, count_items(p, m[0].value), ret);
}

static void chunk_apply(Channel *c, Piece *p, const ChunkAnswer *a) {
        bool is_part = a->n < p->n;
        Piece was = *p;

        if (a->n == 0)
                return;
        if (is_part)
                channel_part_answered(c, p, a->n);
        else
                channel_answered(c, p, true);
        if (!was.map)
                return;
        was.map->n_open -= !is_part;
        map_answered_items(was.map, was.first, a);
}

void chunk_take(Channel *c, Piece *p, Slice result, bool is_kept) {
        ChunkAnswer a;

        if (chunk_read(p, result, &a) >= 0 && (a.n == 0 || a.n == p->n || c->has_page))
                chunk_apply(c, p, &a);
        else if (!is_kept) /* else those before are still in the socket */
                piece_fail(c, p, ERROR_FAILED, "the worker answered a chunk with another number of items");
}

bool chunk_take_plain(Channel *c, const char *line, size_t size) {
        Slice rest = slice_past((Slice){.at = line, .n = size}, "{\"jsonrpc\":\"2.0\",\"id\":"), after;
        uint64_t id = 0, from = 0;
        ChunkAnswer a = {0};
        Piece *p;

        rest = slice_past(slice_past_u64(rest, &id), ",\"result\":{");
        after = slice_past(slice_past_u64(slice_past(rest, "\"from\":"), &from), ",");
        a.items = slice_before(slice_past(after.at ? after : rest, "\"items\":"), "}}");
        p = a.items.at ? channel_piece(c, id) : NULL;
        if (!p || !p->as_items || !c->has_page || chunk_fit(p, from, count_items(p, a.items), &a) < 0)
                return false;
        chunk_apply(c, p, &a);
        return true;
}

/* slice.h - values of JSON found in a text without making anything of them: to be passed on as they are.
 *
 * A strict scanner (RFC 8259, UTF-8, no NaN), which allocates nothing: what it lets through is JSON and can be pasted into
 * another message. It does not see two members of one name within a value that it passes over, nor numbers that are too
 * large for somebody: that is for whoever reads the value. Pure. */
#ifndef DROVER_WIRE_SLICE_H
#define DROVER_WIRE_SLICE_H

#include "base/text.h"
#include <sys/types.h>

#define SLICE_DEPTH_MAX 64u

/* A part of a text; borrowed, not terminated. .at NULL: there is none. */
typedef struct Slice {
        const char *at;
        size_t n;
} Slice;

typedef struct SliceMember {
        const char *key; /* as it is written: a name with an escape in it is not found */
        Slice value;
} SliceMember;

/* Where and what is wrong with a text. */
typedef struct SliceFault {
        size_t offset;
        const char *text; /* static */
} SliceFault;

/** slice_value() - is the text one value, with nothing but white space around it? *ret is without that. -EBADMSG. */
int slice_value(const char *text, size_t size, Slice *ret, SliceFault *fault);
/**
 * slice_object() - the text is one object: find the values of @members (others are passed over, and checked all the same)
 * Members that were found before a fault are set even then. A member that is there twice is a fault.
 * Return: 0; -EBADMSG with @fault.
 */
int slice_object(const char *text, size_t size, SliceMember *members, size_t n, SliceFault *fault);
/**
 * slice_array() - the text is one array: where its elements are
 * @ends: room for @max_n offsets from the text's begin to one past each element; NULL: only count
 * @ret_first: offset of the first element
 * Return: their number; -EBADMSG; -E2BIG: more than @max_n.
 */
ssize_t slice_array(const char *text, size_t size, uint32_t *ends, size_t max_n, size_t *ret_first, SliceFault *fault);
/** slice_next() - where the element begins that follows one which ends at @end, in a text that slice_array() has read. */
static inline size_t slice_next(const char *text, size_t end) {
        while (text[end] != ',' && text[end] != ']')
                end++;
        if (text[end] == ']')
                return end;
        do
                end++;
        while (text[end] == ' ' || text[end] == '\t' || text[end] == '\r' || text[end] == '\n');
        return end;
}
/** slice_u64() - a whole number without sign. -EINVAL. */
int slice_u64(Slice s, uint64_t *ret);
/* Of a text that its writer writes in one way: what follows @word, or a number. .at NULL: it is not so; also when @s is none. */
Slice slice_past(Slice s, const char *word);
Slice slice_past_u64(Slice s, uint64_t *ret);
/** slice_before() - without @word at its end. .at NULL as above. */
Slice slice_before(Slice s, const char *word);
/**
 * slice_append() - @s as it is, but for what readers of lines take for an end of one though JSON does not: carriage returns
 * (white space, there) become blanks, U+2028 and U+2029 in strings their escapes. @s is JSON.
 */
void slice_append(Text *t, Slice s);
/** slice_dup() - the same as a string of its own, of length *@ret_n. NULL: memory is short. */
char *slice_dup(Slice s, size_t *ret_n);
static inline bool slice_is_empty(Slice s) { /* {} or [], as the scanner left it */
        return s.n == 2;
}
static inline Slice slice_of(const char *text) {
        return (Slice){.at = text, .n = text ? strlen(text) : 0};
}

#endif

/* json.h - jansson with bounds: a guard that counts before anything is allocated, and table-driven unpacking.
 *
 * jansson 2.14 takes up to 92 times the bytes of "[{},{},...]", so depth and node count are checked on the text
 * first. json_load_bounded() is the only way by which a peer's bytes reach jansson. */
#ifndef DROVER_BASE_JSON_H
#define DROVER_BASE_JSON_H

#include "base/clock.h"
#include "base/macro.h"
#include "base/text.h"
#include <jansson.h>

typedef struct JsonLimits {
        size_t max_bytes, max_nodes;
        unsigned max_depth;
} JsonLimits;

typedef struct JsonFault {
        int line, column; /* from 1; 0 when unknown */
        size_t offset;    /* byte, from 0 */
        char text[160];
} JsonFault;

#define _cleanup_json_ _cleanup_(json_decrefp)

/** json_guard() - pure; 0, -E2BIG (bytes or nodes), -ELOOP (depth); one pass, no allocation, *ret_fault filled. */
int json_guard(const char *text, size_t size, const JsonLimits *limits, JsonFault *ret_fault);
/**
 * json_load_bounded() - guard, then parse one value; duplicate keys, NUL, NaN, trailing bytes are refused
 * Return: 0, as json_guard(), -EBADMSG (syntax, *ret_fault says where), -ENOMEM. *ret is a new reference.
 */
int json_load_bounded(const char *text, size_t size, const JsonLimits *limits, json_t **ret, JsonFault *ret_fault);

/* One field of an object and where it goes. STRING targets borrow from the object: keep a reference. */
typedef enum JsonFieldType {
        JSON_FIELD_STRING,   /* const char *      */
        JSON_FIELD_BOOL,     /* bool              */
        JSON_FIELD_I64,      /* int64_t, min..max */
        JSON_FIELD_SPAN,     /* usec_t: "10s" or a number of seconds */
        JSON_FIELD_SIGNAL,   /* int: "TERM" or a number */
        JSON_FIELD_VALUE,    /* json_t *, borrowed, any type */
        JSON_FIELD_OBJECT,   /* json_t *, borrowed */
        JSON_FIELD_ARRAY,    /* json_t *, borrowed */
        JSON_FIELD_STRINGS,  /* json_t *, borrowed: a string or an array of strings */
} JsonFieldType;

typedef struct JsonField {
        const char *name;
        JsonFieldType type;
        size_t offset; /* of the target in the struct */
        bool required;
        int64_t min, max;  /* I64 only; both 0 means no bound */
        const char *help;  /* one line, for documents made from the table */
} JsonField;

/**
 * json_unpack_fields() - object @o into *@target by the table @fields (ends with .name == NULL)
 * Absent optional fields leave the target alone, and so does a null (except for VALUE, which takes it). Unknown keys are an error that names the nearest known one.
 * Return: 0; -EINVAL with the first bad field and what it wants in @fault->text.
 */
int json_unpack_fields(json_t *o, const JsonField *fields, void *target, JsonFault *fault);
/** json_span() - a JSON string or number of seconds to µs. -EINVAL, -ERANGE. */
int json_span(const json_t *v, usec_t *ret);
/** json_size() - a JSON string ("64M") or number of bytes. */
int json_size(const json_t *v, uint64_t *ret);
/**
 * json_put_value() - append @v, compact, members in their order, as the other json_put_ do
 * @v: NULL makes @t fail; no deeper than what json_load_bounded() lets through
 */
void json_put_value(Text *t, const char *key, const json_t *v);
/**
 * json_dump_append() - append @v as json_dumps() writes it: of a value from anybody, of any depth; slower where it is deep or not ASCII
 * Return: 0; -EINVAL when it contains itself or is no value for @flags: what was appended is taken off again.
 */
int json_dump_append(Text *t, const json_t *v, size_t flags);

#endif

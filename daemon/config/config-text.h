/* config-text.h - the text of one configuration file, and where in it everything stands.
 *
 * Comments (two slashes, #, slash-star) and trailing commas are blanked out in a copy of the same length, so a byte offset
 * means the same in both. A walk of our own then checks the grammar, since it can say what a person should do and where
 * exactly, and records the offset of each key and value as a tree of places. Only then jansson makes the values.
 *
 * Owner: whoever embeds it. Immutable after config_text_parse(). One thread. */
#ifndef DROVER_CONFIG_CONFIG_TEXT_H
#define DROVER_CONFIG_CONFIG_TEXT_H

#include "base/json.h"
#include "base/macro.h"

/* Bounds of one file. Generous: 10 000 pools of a few lines fit. */
#define CONFIG_FILE_MAX (4u << 20)
#define CONFIG_NODES_MAX 200000u
#define CONFIG_DEPTH_MAX 32u

typedef struct ConfigPlace {
        uint32_t key, value; /* byte offsets; for array items and the root both are the value's */
        uint32_t next, child;/* index of the next sibling and the first child; 0: none */
        bool has_key;
} ConfigPlace;

typedef struct ConfigText {
        char *file;  /* name for faults */
        char *raw;   /* as read, NUL-terminated */
        char *clean; /* without comments and trailing commas */
        size_t size;
        ConfigPlace *places; /* [0] is the root */
        size_t n_places, capacity;
} ConfigText;

typedef struct ConfigSyntaxFault {
        size_t offset;
        char text[192];
} ConfigSyntaxFault;

/**
 * config_text_parse() - blank, bound, walk and load
 * @t:    embedded, empty
 * @file: name for faults, copied
 * @raw_consume: NUL-terminated, taken over also on failure
 * @ret:  a new reference; a text of nothing but comments is an empty object
 * Return: 0; -EBADMSG with *fault (and @t usable for config_text_position()), and with *ret too where the fault is a
 *         doubled key, so that the other faults of the text can be found; -ENOMEM.
 */
int config_text_parse(ConfigText *t, const char *file, char *raw_consume, size_t size, json_t **ret,
                      ConfigSyntaxFault *fault);
void config_text_done(ConfigText *t);
#define _cleanup_config_text_ _cleanup_(config_text_done)

/** config_text_blank() - pure; @clean has room for @size + 1. 0, or -EBADMSG (a comment is never closed). */
int config_text_blank(const char *raw, size_t size, char *clean, ConfigSyntaxFault *fault);
/** config_text_position() - line and column (characters), both from 1, of a byte offset. */
void config_text_position(const ConfigText *t, size_t offset, int *ret_line, int *ret_column);

/** config_place_walk() - check the grammar of t->clean and fill t->places. 0, -EBADMSG, -ENOMEM. */
int config_place_walk(ConfigText *t, ConfigSyntaxFault *fault);
/** config_place_member(), config_place_item() - a child of place @parent, or NULL. */
const ConfigPlace *config_place_member(const ConfigText *t, const ConfigPlace *parent, const char *key);
const ConfigPlace *config_place_item(const ConfigText *t, const ConfigPlace *parent, size_t index);
/** config_place_duplicate() - the second of two equal keys in one object, and the first in *ret_first; or NULL. */
const ConfigPlace *config_place_duplicate(const ConfigText *t, const ConfigPlace **ret_first);

#endif

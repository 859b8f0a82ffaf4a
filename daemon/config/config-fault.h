/* config-fault.h - collecting what is wrong with a configuration, each fault with its place.
 *
 * A Spot is where the validation stands: a chain on the stack from the value at hand up to the root. It becomes the
 * dotted key of a fault, and, when the text is known, a line and column.
 * A ConfigCheck is one run of the validation: borrowed parts, and a sticky memory error.
 * Owner of both: the caller's stack. One thread. */
#ifndef DROVER_CONFIG_CONFIG_FAULT_H
#define DROVER_CONFIG_CONFIG_FAULT_H

#include "config/config-text.h"
#include "config/config.h"
#include <stdarg.h>

/* More than this many faults of one run help nobody; one more says that there were more. */
#define CONFIG_FAULTS_MAX 1000u

typedef struct Spot {
        const struct Spot *up; /* NULL: a member of the root */
        const char *key;       /* NULL: an array item */
        size_t index;
} Spot;

typedef struct ConfigCheck {
        const ConfigContext *ctx;
        ConfigFaults *faults;
        const ConfigText *text; /* NULL for parameters of a call */
        bool is_run;
        int error;              /* -ENOMEM once memory was short; then faults may be missing */
} ConfigCheck;

/** config_fault_value() - a fault at the value of @at; @at of NULL is the root itself. */
void config_fault_value(ConfigCheck *c, const Spot *at, const char *fmt, ...) _printf_(3, 4);
/** config_fault_key() - a fault at the key of @at. */
void config_fault_key(ConfigCheck *c, const Spot *at, const char *fmt, ...) _printf_(3, 4);
/** config_fault_unplaced() - a fault of a file (@line and @column 0 when unknown); @key may be NULL. */
void config_fault_unplaced(ConfigCheck *c, const char *file, int line, int column, const char *key, const char *fmt,
                           ...) _printf_(6, 7);
/** spot_locate() - line and column of @at's key in the text; 0 and 0 when there is none. */
void spot_locate(const ConfigText *text, const Spot *at, bool want_key, int *ret_line, int *ret_column);
/** config_faults_sort() - the faults from number @first on, by line and column; equal ones keep their order. */
void config_faults_sort(ConfigFaults *f, size_t first);

#endif

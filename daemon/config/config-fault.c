/* config-fault.c - faults, their keys and places. */
#include "config/config-fault.h"
#include "base/alloc.h"
#include "base/text.h"
#include <stdio.h>

void config_faults_done(ConfigFaults *f) {
        for (size_t i = 0; i < f->n; i++) {
                free(f->items[i].file);
                free(f->items[i].key);
                free(f->items[i].text);
        }
        free(f->items);
        *f = (ConfigFaults){ 0 };
}

char *config_fault_format(const ConfigFault *f) {
        _cleanup_text_ Text t = { 0 };

        if (f->file) {
                text_append(&t, f->file);
                if (f->line > 0)
                        text_appendf(&t, ":%d:%d", f->line, f->column);
                text_append(&t, ": ");
        }
        if (f->key && *f->key)
                text_appendf(&t, "%s: ", f->key);
        text_append(&t, f->text);
        return text_take(&t);
}

/* Keys and values come from a file or a peer: what a terminal would obey is shown as '?'. */
static void append_visible(Text *t, const char *s) {
        for (; *s; s++)
                text_append_char(t, (unsigned char) *s < 0x20 || *s == 0x7f ? '?' : *s);
}

static void append_path(Text *t, const Spot *at) {
        if (!at)
                return;
        append_path(t, at->up);
        if (at->key) {
                if (at->up)
                        text_append_char(t, '.');
                append_visible(t, at->key);
        } else
                text_appendf(t, "[%zu]", at->index);
}

static const ConfigPlace *find_place(const ConfigText *text, const Spot *at) {
        if (!at)
                return text->n_places > 0 ? &text->places[0] : NULL;
        const ConfigPlace *up = find_place(text, at->up);
        if (!up)
                return NULL;
        return at->key ? config_place_member(text, up, at->key) : config_place_item(text, up, at->index);
}

void spot_locate(const ConfigText *text, const Spot *at, bool want_key, int *ret_line, int *ret_column) {
        const ConfigPlace *p = text ? find_place(text, at) : NULL;

        *ret_line = *ret_column = 0;
        if (p)
                config_text_position(text, want_key ? p->key : p->value, ret_line, ret_column);
}

/* Takes over @key and @text, either of which is NULL when memory was short. */
static void add_fault(ConfigCheck *c, const char *file, int line, int column, char *key_consume, char *text_consume) {
        _cleanup_free_ char *key = key_consume, *text = text_consume, *name = alloc_strdup(file);
        ConfigFaults *f = c->faults;

        if (!key || !text || (file && !name) || alloc_grow(&f->items, &f->capacity, f->n + 1, sizeof(*f->items)) < 0) {
                c->error = -ENOMEM;
                return;
        }
        f->items[f->n++] = (ConfigFault){
                .file = TAKE_PTR(name),
                .line = line,
                .column = column,
                .key = TAKE_PTR(key),
                .text = TAKE_PTR(text),
        };
}

/* Whether one more may be added; the one beyond the bound is replaced by a remark. */
static bool has_room(ConfigCheck *c) {
        if (c->faults->n == CONFIG_FAULTS_MAX)
                add_fault(c, NULL, 0, 0, alloc_strdup(""), alloc_strdup("more faults follow; these are the first"));
        return c->faults->n < CONFIG_FAULTS_MAX;
}

_printf_(1, 0) static char *format_list(const char *fmt, va_list list) {
        _cleanup_text_ Text t = { 0 };
        char buf[1024];

        (void) vsnprintf(buf, sizeof(buf), fmt, list);
        append_visible(&t, buf);
        return text_take(&t);
}

_printf_(4, 0)
static void fault_at(ConfigCheck *c, const Spot *at, bool at_key, const char *fmt, va_list list) {
        _cleanup_text_ Text path = { 0 };
        int line, column;

        if (!has_room(c))
                return;
        append_path(&path, at);
        spot_locate(c->text, at, at_key, &line, &column);
        add_fault(c, c->text ? c->text->file : NULL, line, column, text_take(&path), format_list(fmt, list));
}

void config_fault_value(ConfigCheck *c, const Spot *at, const char *fmt, ...) {
        va_list list;
        va_start(list, fmt);
        fault_at(c, at, false, fmt, list);
        va_end(list);
}

void config_fault_key(ConfigCheck *c, const Spot *at, const char *fmt, ...) {
        va_list list;
        va_start(list, fmt);
        fault_at(c, at, true, fmt, list);
        va_end(list);
}

void config_fault_unplaced(ConfigCheck *c, const char *file, int line, int column, const char *key, const char *fmt,
                           ...) {
        va_list list;

        if (!has_room(c))
                return;
        va_start(list, fmt);
        add_fault(c, file, line, column, alloc_strdup(key ? key : ""), format_list(fmt, list));
        va_end(list);
}

static int compare_faults(const ConfigFault *a, const ConfigFault *b) {
        return a->line != b->line ? (a->line < b->line ? -1 : 1) : a->column < b->column ? -1 : a->column > b->column;
}

/* Insertion: faults come nearly in order, and equal ones must keep theirs. */
void config_faults_sort(ConfigFaults *f, size_t first) {
        for (size_t i = first + 1; i < f->n; i++) {
                ConfigFault moving = f->items[i];
                size_t k = i;
                for (; k > first && compare_faults(&f->items[k - 1], &moving) > 0; k--)
                        f->items[k] = f->items[k - 1];
                f->items[k] = moving;
        }
}

/* selection.h - the `select` of a call: which workers it means. */
#ifndef DROVER_CONTROL_SELECTION_H
#define DROVER_CONTROL_SELECTION_H

#include "base/json.h"
#include "control/control-call.h"
#include "pool/pool.h"

typedef struct Selection {
        Worker **workers; /* borrowed workers, an own array */
        size_t n;
} Selection;

void selection_done(Selection *s);
#define _cleanup_selection_ _cleanup_(selection_done)

/**
 * selection_view() - what the caller of @c sees of the pools, in @ret
 * Return: @ret, or NULL when he sees all. It borrows @c.
 */
const PoolView *selection_view(Call *c, PoolView *ret);
/** selection_sees() - may the caller observe the pool @name; one that is no more only by a role for everything. */
bool selection_sees(const Call *c, const char *name);

bool selection_sees_worker(const Call *c, const char *name); /* the same, by the name of a worker or a process */
/** selection_hides_secrets() - a filter of config_mask_pools(): what is not administered by @call's caller. */
bool selection_hides_secrets(const char *pool, void *call);

/**
 * selection_resolve() - @select: a selector or an array of them, as unpacked
 * What the caller may not observe is not there. Of what he may, every pool must grant him what the method needs.
 * Return: 0; -errno when the call was answered with what is wrong (a name that is unknown: with the nearest one).
 */
int selection_resolve(Call *c, const json_t *select, Selection *ret);
/**
 * selection_admit() - of the workers behind the first @n_chosen, which the call takes along, only those the caller may change
 * @is_all_or_nothing: the call is refused for the sake of one that he may not; its pool is not named where he does not see it
 * Return: 0; -EACCES when the call was answered.
 */
int selection_admit(Call *c, Selection *s, size_t n_chosen, bool is_all_or_nothing);
/** selection_drop_leaving() - without those whose slot or pool goes, unless there are only such: nobody waits for their start */
void selection_drop_leaving(Selection *s);
/** selection_pool() - the pool @name, or NULL when the call was answered: there is none (for the caller), or he may not. */
Pool *selection_pool(Call *c, const char *name);
/** selection_order_is_fine() - the pools that a new one names are there and lead in no circle; else the call was answered. */
bool selection_order_is_fine(Call *c, const PoolConfig *config);
/** selection_strings() - the strings of @v, borrowed; the caller frees the array. NULL: no memory. */
const char **selection_strings(const json_t *v, size_t *ret_n);
/** selection_object() - the selectors as one word for the audit line. */
void selection_object(Call *c, const json_t *select);

#endif

/* pool-template-spare.c - spares: processes that a template forked ahead, for `run` of one target after the other.
 *
 * A fork takes longer than everything else of a run of a short target. So a template for `run` that has forked within the last
 * SPARE_WINDOW gets, with each launch, its stock of spares filled up again; the next launch takes one of them. They stay as long
 * as it does, TEMPLATE_LINGER after its last use. What a launch brings along (name, environment, arguments, descriptors, limits
 * of its cgroup) they get with it; all else they have from the template, as every fork of it. */
#include "pool/pool-template-internal.h"

#include <errno.h>

#define SPARE_WINDOW (1 * USEC_PER_SEC)
#define SPARES_LOW 4u /* many at once, and rarely: the forks take a processor from the runs beside them */

static void on_end(Child *c, const ExitStatus *e, void *userdata) {
        Template *t = userdata;

        (void) c;
        if (e->failure.stage == LAUNCH_TEMPLATE && e->failure.error == EOPNOTSUPP)
                t->cannot_spare = true;
        template_note(t);
}

static void on_nothing(Child *c, void *userdata) {
}

static const ChildHooks hooks = {.on_started = on_nothing, .on_ready = on_nothing, .on_end = on_end, .on_drained = on_nothing};

void template_spare_use(Template *t, bool has_pipes, ForkSpec *spec) {
        size_t n_left = 0, n = 0;

        for (size_t i = 0; i < ARRAY_SIZE(t->spares); i++) {
                n_left += t->spares[i] != NULL;
                if (has_pipes && t->spares[i] && !child_is_ended(t->spares[i]) && (!spec->spare || child_is_born(t->spares[i])))
                        spec->spare = t->spares[i];
        }
        n_left -= spec->spare != NULL;
        if (t->owner || t->cannot_spare || !has_pipes || n_left > SPARES_LOW || t->n_forks == 0 ||
            clock_now() >= usec_add(t->used_at, SPARE_WINDOW))
                return;
        while (n_left + n < ARRAY_SIZE(t->spares) && child_spare(&spec->spares[n], t->set->world.keeper, &hooks, t) >= 0)
                n++;
}

/* The one that is used makes room for the first of the new ones. */
void template_spare_done(Template *t, const ForkSpec *spec, bool is_asked) {
        size_t n = 0;

        for (size_t i = 0; i < ARRAY_SIZE(spec->spares); i++)
                if (spec->spares[i] && !is_asked)
                        (void) child_spare_unasked(spec->spares[i]);
        if (!is_asked)
                return;
        for (size_t i = 0; i < ARRAY_SIZE(t->spares); i++) {
                if (t->spares[i] && t->spares[i] != spec->spare)
                        continue;
                t->spares[i] = n < ARRAY_SIZE(spec->spares) ? spec->spares[n++] : NULL;
        }
}

void template_spares_drop(Template *t) {
        for (size_t i = 0; i < ARRAY_SIZE(t->spares); i++) {
                if (!t->spares[i])
                        continue;
                (void) child_kill_tree(t->spares[i]);
                t->spares[i] = child_free(t->spares[i]);
        }
}

void template_spares_tidy(Template *t) {
        for (size_t i = 0; i < ARRAY_SIZE(t->spares); i++)
                if (t->spares[i] && child_is_ended(t->spares[i]))
                        t->spares[i] = child_free(t->spares[i]);
}

/* rolling-next.c - how a rolling replacement goes on. Pure: facts in, one step out.
 *
 * The order of the questions: is it being put back? Has one of the batch failed? Are all of the batch there, and long
 * enough? Is there another batch? Workers that have no ready process are taken first and by themselves: replacing them
 * takes nothing away from anybody. */
#include "pool/rolling.h"

RollingStep rolling_next(const RollingFacts *f, const RollingBounds *b, unsigned *ret_n) {
        unsigned n = b->max_surge > 0 ? b->max_surge : MAX(b->max_unavailable, 1u);

        if (f->is_putting_back)
                return f->n_back_settled < f->n_back ? ROLLING_WAIT : ROLLING_FAILED;
        if (f->n_batch_bad > 0)
                return ROLLING_PUT_BACK;
        if (f->n_batch > 0 && f->n_batch_ready < f->n_batch)
                return ROLLING_WAIT;
        if (f->n_batch > 0)
                return b->soak > 0 && !f->is_soaked ? ROLLING_SOAK : ROLLING_COMMIT;
        if (f->n_due == 0)
                return f->n_leaving > 0 ? ROLLING_WAIT : ROLLING_DONE;
        *ret_n = MIN(n, f->n_due_down > 0 ? f->n_due_down : f->n_due);
        return ROLLING_TAKE;
}

static unsigned part_of(unsigned size, unsigned percent, unsigned round_up) {
        return (unsigned) (((uint64_t) size * percent + round_up) / 100);
}

RollingBounds rolling_bounds(const ReloadConfig *c, unsigned size) {
        RollingBounds b = {.max_unavailable = c->max_unavailable, .max_surge = c->max_surge, .soak = c->soak};

        if (c->is_surge_percent)
                b.max_surge = part_of(size, c->max_surge, 99);
        if (c->is_unavailable_percent)
                b.max_unavailable = part_of(size, c->max_unavailable, 0);
        if (b.max_surge == 0 && b.max_unavailable == 0)
                b.max_unavailable = 1;
        return b;
}

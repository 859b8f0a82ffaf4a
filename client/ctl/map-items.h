/* map-items.h - lines of a descriptor as items of a task.map, some at a time.
 *
 * Held in memory is what one read gave and the line that is not whole yet, never more than MAP_LINE_MAX. A line that cannot
 * be an item ends the input: what came before it is mapped, and fault says why there is no more. Owner: cmd-task-map. */
#ifndef DROVER_CTL_MAP_ITEMS_H
#define DROVER_CTL_MAP_ITEMS_H

#include "base/text.h"
#include <jansson.h>

#define MAP_LINE_MAX (512u * 1024)  /* bytes of an input line */
#define MAP_BATCH_BYTES (56u * 1024) /* of the items in one message, as JSON; also the most that one item may have */

typedef struct MapItems {
        int fd;      /* borrowed */
        bool is_raw; /* a line is a string */
        bool is_over; /* nothing more is read */
        bool is_hungry; /* what was read has no whole line any more */
        Text buffer;
        size_t taken; /* of buffer */
        size_t n_lines;
        char fault[160]; /* "": none */
} MapItems;

void map_items_done(MapItems *m);
/** map_items_wants() - shall it be watched for input? */
bool map_items_wants(const MapItems *m);
/** map_items_receive() - one read(2), which may end the input. */
void map_items_receive(MapItems *m);
/** map_items_take() - a new array of the next ones; NULL: there is no whole line now, or memory is short (a fault). */
json_t *map_items_take(MapItems *m);
/** map_items_is_empty() - all was taken, and nothing comes any more. */
bool map_items_is_empty(const MapItems *m);

#endif

/* means.h - what this kernel and these privileges give the keeper, found out once by trying. */
#ifndef DROVER_KEEPER_MEANS_H
#define DROVER_KEEPER_MEANS_H

#include "keeper/tree.h"

typedef struct Means {
        uint32_t bits; /* KEEPER_CAN_* */
        uint32_t landlock_abi;
        char mount_reason[64];
} Means;

/** means_probe() - makes one short-lived process. Never fails: what did not work is missing. */
void means_probe(Means *m, const Tree *t);

#endif

/* change-answer.h - {"changes":[...],"overrides":{...}}, the answer of plan, apply and set, in the chosen form. */
#ifndef DROVER_CTL_CHANGE_ANSWER_H
#define DROVER_CTL_CHANGE_ANSWER_H

#include "ctl/ctl.h"

/** change_answer_show() - print it. Return: @status, or CTL_FAILED when it could not be written. */
int change_answer_show(const Ctl *c, const json_t *result, int status);

#endif

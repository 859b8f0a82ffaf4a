/* json-plain.h - JSON as programs write it, read without jansson's parser: that takes four times as long for a request. */
#ifndef DROVER_BASE_JSON_PLAIN_H
#define DROVER_BASE_JSON_PLAIN_H

#include <jansson.h>

/**
 * json_plain_load() - one value of ASCII strings without a backslash, integers of up to 18 digits, true, false, null,
 * arrays and objects of such. How deeply they are nested was checked before.
 * Return: 1 with a new reference in *ret, the same value that jansson reads; 0: it is not so plain, or faulty; -ENOMEM.
 */
int json_plain_load(const char *text, size_t size, json_t **ret);

#endif

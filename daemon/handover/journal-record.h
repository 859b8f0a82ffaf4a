/* journal-record.h - one record of the journal as a line: "crc32 length key json\n". Pure.
 *
 * crc32 (8 hex digits) and length (decimal bytes) are those of "key json". Value null means the key is deleted. */
#ifndef DROVER_HANDOVER_JOURNAL_RECORD_H
#define DROVER_HANDOVER_JOURNAL_RECORD_H

#include "base/text.h"

typedef struct JournalRecord { /* all borrowed, none terminated */
        const char *key, *json;
        size_t key_length, json_length;
        size_t size; /* of the whole line with its newline */
} JournalRecord;

/** journal_record_format() - append the line. Failure is sticky in @t. */
void journal_record_format(Text *t, const char *key, const char *json);
/**
 * journal_record_parse() - the first line of @size bytes
 * Return: 1 and *ret; 0 when the line is not complete; -EBADMSG when it is spoilt: only ret->size is set.
 */
int journal_record_parse(const char *data, size_t size, JournalRecord *ret);

#endif

/* journal-record.c - format and check one line. */
#include "handover/journal-record.h"
#include <ctype.h>

#define CRC_POLYNOMIAL UINT32_C(0xEDB88320) /* CRC-32 as in zlib, reflected */
#define CRC_DIGITS 8u
#define CRC_STEP 8u /* bytes */
#define LENGTH_DIGITS_MAX 9u

/* table[0] as everybody has it; table[i] for a byte that i more follow, so that eight are done in one step. */
static void crc_tables_fill(uint32_t table[CRC_STEP][256]) {
        for (uint32_t i = 0; i < 256; i++) {
                uint32_t c = i;

                for (int bit = 0; bit < 8; bit++)
                        c = c & 1 ? CRC_POLYNOMIAL ^ (c >> 1) : c >> 1;
                table[0][i] = c;
        }
        for (uint32_t i = 0; i < 256; i++)
                for (size_t k = 1; k < CRC_STEP; k++)
                        table[k][i] = table[0][table[k - 1][i] & 0xff] ^ (table[k - 1][i] >> 8);
}

static uint32_t crc32_of(const char *data, size_t n) {
        static uint32_t table[CRC_STEP][256];
        const unsigned char *p = (const unsigned char *) data;
        uint32_t crc = UINT32_MAX;

        if (!table[0][1])
                crc_tables_fill(table);
        for (; n >= CRC_STEP; n -= CRC_STEP, p += CRC_STEP) {
                crc ^= (uint32_t) p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16 | (uint32_t) p[3] << 24;
                crc = table[7][crc & 0xff] ^ table[6][crc >> 8 & 0xff] ^ table[5][crc >> 16 & 0xff] ^ table[4][crc >> 24] ^
                      table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^ table[0][p[7]];
        }
        for (; n > 0; n--, p++)
                crc = table[0][(crc ^ *p) & 0xff] ^ (crc >> 8);
        return ~crc;
}

static void put_hex(char to[static CRC_DIGITS], uint32_t v) {
        for (size_t i = CRC_DIGITS; i > 0; i--, v >>= 4)
                to[i - 1] = "0123456789abcdef"[v & 0xf];
}

void journal_record_format(Text *t, const char *key, const char *json) {
        size_t key_length = strlen(key), json_length = strlen(json), start = t->length, body;

        text_append(t, "00000000 ");
        text_append_u64(t, key_length + 1 + json_length);
        text_append_char(t, ' ');
        body = t->length;
        text_append_n(t, key, key_length);
        text_append_char(t, ' ');
        text_append_n(t, json, json_length);
        text_append_char(t, '\n');
        if (t->failed)
                return;
        put_hex(t->data + start, crc32_of(t->data + body, t->length - 1 - body));
}

static int hex_digit(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The two numbers at the head of a line of @n bytes. Return: where its body begins, 0 when there is none. */
static size_t parse_head(const char *line, size_t n, uint32_t *ret_crc, size_t *ret_length) {
        uint32_t crc = 0;
        size_t length = 0, i = 0;

        for (; i < CRC_DIGITS && i < n; i++) {
                if (hex_digit(line[i]) < 0)
                        return 0;
                crc = crc << 4 | (uint32_t) hex_digit(line[i]);
        }
        if (i == n || line[i++] != ' ')
                return 0;
        for (; i < n && i < CRC_DIGITS + 1 + LENGTH_DIGITS_MAX && isdigit((unsigned char) line[i]); i++)
                length = length * 10 + (size_t) (line[i] - '0');
        if (i == n || line[i++] != ' ')
                return 0;
        *ret_crc = crc;
        *ret_length = length;
        return i;
}

int journal_record_parse(const char *data, size_t size, JournalRecord *ret) {
        const char *end = memchr(data, '\n', size), *blank;
        size_t n = end ? (size_t) (end - data) : 0, body, length;
        uint32_t crc;

        if (!end)
                return 0;
        *ret = (JournalRecord){.size = n + 1};
        body = parse_head(data, n, &crc, &length);
        if (body == 0 || length != n - body || crc != crc32_of(data + body, length))
                return -EBADMSG;
        blank = memchr(data + body, ' ', length);
        if (!blank || blank == data + body)
                return -EBADMSG;
        ret->key = data + body;
        ret->key_length = (size_t) (blank - ret->key);
        ret->json = blank + 1;
        ret->json_length = length - ret->key_length - 1;
        return 1;
}

/* Identifiers. A session is named by a ULID (26 characters of Crockford's base 32: 48 bits of
 * milliseconds, 80 bits of randomness), the same in log, database and file names. An approval is
 * named by 5 letters and digits without look-alikes. */
#ifndef BARTIZAN_ID_H
#define BARTIZAN_ID_H

#include <stdbool.h>
#include <stdint.h>

#define ID_ULID_LEN 26
#define ID_SHORT_LEN 5

/* random points at 10 bytes of randomness: injected, so that tests are repeatable. */
void id_ulid(int64_t wall_ms, const uint8_t random[static 10], char out[static ID_ULID_LEN + 1]);
void id_ulid_new(char out[static ID_ULID_LEN + 1]); /* now, getrandom() */
bool id_ulid_ok(const char *text);
void id_short_new(char out[static ID_SHORT_LEN + 1]);
bool id_short_ok(const char *text);

#endif

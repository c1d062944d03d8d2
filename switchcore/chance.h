/* Random numbers for tags, tokens and jitter: OpenSSL's, taken in blocks, since each call there costs system calls. */
#ifndef SWITCHCORE_CHANCE_H
#define SWITCHCORE_CHANCE_H

#include <stddef.h>
#include <stdint.h>

void chance_bytes(void *bytes, size_t size);
uint32_t chance_word(void);
void chance_hex(char *text, size_t digits);	/* that many hex digits and NUL */

#endif

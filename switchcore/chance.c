#include "chance.h"

#include "log.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

static unsigned char block[1024];
static size_t left;

void chance_bytes(void *bytes, size_t size)
{
	unsigned char *to = bytes;

	while (size > 0) {
		size_t n;
		if (left == 0) {
			/* Guessable Call-IDs and nonces would be worse than a restart by the supervisor. */
			if (RAND_bytes(block, sizeof block) != 1) {
				log_error("switchcore: the system gives no random numbers");
				abort();
			}
			left = sizeof block;
		}
		n = size < left ? size : left;
		memcpy(to, block + sizeof block - left, n);
		OPENSSL_cleanse(block + sizeof block - left, n);	/* nobody gets them twice */
		left -= n;
		to += n;
		size -= n;
	}
}

uint32_t chance_word(void)
{
	uint32_t word;

	chance_bytes(&word, sizeof word);
	return word;
}

void chance_hex(char *text, size_t digits)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char byte = 0;

	for (size_t i = 0; i < digits; i++) {
		if (i % 2 == 0)
			chance_bytes(&byte, 1);
		text[i] = hex[i % 2 ? byte & 15 : byte >> 4];
	}
	text[digits] = '\0';
}

/* When each API token was used last: noted in memory, written to the database at most once a minute and at the end. */
#ifndef MGMTD_TOKEN_USE_H
#define MGMTD_TOKEN_USE_H

#include <stdint.h>

#define API_TOKENS_MAX 1000	/* API tokens at a time: all have their place here */

struct token_uses;
struct writer;

int token_uses_open(struct token_uses **u);
void token_uses_close(struct token_uses *u);

void token_uses_note(struct token_uses *u, const char *jti);	/* any thread; costs next to nothing */
int64_t token_uses_last(struct token_uses *u, const char *jti);	/* microseconds since the epoch; 0 = not since the start */

/* Hands what is new to the writer thread and returns; after writer_close() all is written. */
void token_uses_write(struct token_uses *u, struct writer *writer);

#endif

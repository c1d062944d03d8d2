/* The call records as the advisor takes them in: each once, in the order of their arrival, on a connection of its own. */
#ifndef MGMTD_STORE_ADVICE_H
#define MGMTD_STORE_ADVICE_H

#include <stdint.h>

struct store_advice;

struct advice_record {
	uint64_t seq, id, ringing_at, answered_at, ended_at;
	uint32_t code;
	const char *mapping_gateway, *routing_gateway, *request_uri_in, *to_in, *callee_in, *original, *routed, *invite_use_contact,
		*call_id_in, *tried, *skipped;	/* as in cdr.def; valid during the call */
};

/* cdr.db of the state directory, which must be there.  Errors as in store.h. */
int store_advice_open(struct store_advice **s, const char *state);
void store_advice_close(struct store_advice *s);

/* Where to begin so that all that ended since then comes, but at most the last `most`: records behind *seq.  */
int store_advice_begin(struct store_advice *s, uint64_t since_us, uint64_t most, uint64_t *seq);
/* At most `limit` records behind *seq, which moves. */
int store_advice_read(struct store_advice *s, uint64_t *seq, unsigned limit, void (*each)(void *arg, const struct advice_record *record),
                      void *arg);

/* The numbers of one record; texts are cut.  ENOENT. */
struct advice_numbers { char original[128], routed[128], to_out[128], call_id_out[256], mode[8]; };
int store_advice_numbers(struct store_advice *s, uint64_t id, struct advice_numbers *numbers);

char *store_advice_sql(unsigned which);	/* for tests; as store_cdrs_sql() */

#endif

/*
 * What one registration puts on the wire, and what calls through it need, copied out of the configuration: the segment's pages are only ours during
 * one event, and an old binding must still be removed after its configuration is gone.  One heap block, texts packed
 * behind it (about 200 bytes; the record in the segment is 2 KiB).
 */
#ifndef SWITCHCORE_ACCOUNT_H
#define SWITCHCORE_ACCOUNT_H

#include "schema/schema.h"

#include <stdbool.h>

#define ACCOUNT_TEXTS(T) \
	T(NAME) T(LINE) T(SERVER) T(OUTBOUND_PROXY) T(LISTENER) T(USERNAME) T(AUTH_USERNAME) T(PASSWORD) T(DOMAIN) \
	T(DISPLAY_NAME) T(CONTACT_USER) T(USER_AGENT) T(INBOUND_MAPPING)
#define ACCOUNT_TEXT(id) ACCOUNT_##id,
enum account_text { ACCOUNT_TEXTS(ACCOUNT_TEXT) ACCOUNT_TEXT_COUNT };

struct account {
	int32_t port;			/* 0 = by DNS */
	int32_t transport;		/* enum TRANSPORT_option */
	int32_t register_period;	/* REGISTER_PERIOD keywords or seconds */
	int32_t retry_delay;		/* RETRY_DELAY keyword or seconds */
	int32_t privacy;		/* enum TRUNK_PRIVACY_option */
	int32_t keep_alive;		/* s, 0 = off */
	int32_t capacity;		/* calls at once, 0 = no limit */
	bool enabled;
	bool tls_verify;
	uint16_t at[ACCOUNT_TEXT_COUNT];
	char texts[];
};

/* What differs between two accounts, by what must happen (rule 8 of the registration life cycle). */
enum account_change {
	ACCOUNT_MOVED = 1,		/* other server, domain, user, transport or listener: the old binding goes */
	ACCOUNT_ONCE = 2,		/* credentials or path: one attempt at once */
	ACCOUNT_SOON = 4,		/* expiry, privacy, display name: one REGISTER soon */
	ACCOUNT_EXPIRY = 8,		/* beside SOON: the expiry setting itself */
	ACCOUNT_DELAY = 16,		/* the retry delay */
	ACCOUNT_KEEP_ALIVE = 32,
	ACCOUNT_CONTACT = 64,		/* beside ONCE: the Contact's user, so the old Contact is taken back */
	ACCOUNT_ENABLED = 128,
};

struct account *account_create(const struct registration_record *record);	/* or NULL: no memory */
void account_destroy(struct account *account);	/* wipes the password */
unsigned account_compare(const struct account *old, const struct account *new);

static inline const char *account_text(const struct account *account, enum account_text which)
{
	return account->texts + account->at[which];
}

/* The text, or the one it stands in for when it is empty. */
const char *account_domain(const struct account *account);		/* else server */
const char *account_auth_username(const struct account *account);	/* else username */
const char *account_contact_user(const struct account *account);	/* else username */

/* Effective values: 0 = auto, else seconds; seconds; enum PRIVACY_option. */
int32_t account_period(const struct account *account, const struct sip_parameters *parameters);
int32_t account_retry_delay(const struct account *account, const struct sip_parameters *parameters);
int32_t account_privacy(const struct account *account, const struct sip_parameters *parameters);

/* Where its requests go: the proxy if there is one, else the server.  host gets no brackets off an IPv6 address. */
void account_path(const struct account *account, char *host, size_t size, int32_t *port);

#endif

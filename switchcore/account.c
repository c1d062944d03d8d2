#include "account.h"

#include <stdlib.h>
#include <string.h>

void account_destroy(struct account *account)
{
	if (!account)
		return;
	explicit_bzero(account->texts + account->at[ACCOUNT_PASSWORD], strlen(account_text(account, ACCOUNT_PASSWORD)));
	free(account);
}

struct account *account_create(const struct registration_record *record)
{
	const char *const from[ACCOUNT_TEXT_COUNT] = {
		[ACCOUNT_NAME] = record->head.name,
		[ACCOUNT_LINE] = record->line,
		[ACCOUNT_SERVER] = record->server,
		[ACCOUNT_OUTBOUND_PROXY] = record->outbound_proxy,
		[ACCOUNT_LISTENER] = record->listener,
		[ACCOUNT_USERNAME] = record->username,
		[ACCOUNT_AUTH_USERNAME] = record->auth_username,
		[ACCOUNT_PASSWORD] = record->password,
		[ACCOUNT_DOMAIN] = record->domain,
		[ACCOUNT_DISPLAY_NAME] = record->display_name,
		[ACCOUNT_CONTACT_USER] = record->contact_user,
		[ACCOUNT_USER_AGENT] = record->user_agent,
		[ACCOUNT_INBOUND_MAPPING] = record->inbound_mapping,
	};
	size_t length[ACCOUNT_TEXT_COUNT], total = 0, at = 0;
	struct account *account;

	for (size_t i = 0; i < ACCOUNT_TEXT_COUNT; i++)
		total += (length[i] = strnlen(from[i], 512)) + 1;
	account = malloc(sizeof *account + total);
	if (!account)
		return NULL;
	*account = (struct account){
		.port = record->port,
		.transport = record->transport,
		.register_period = record->register_period,
		.retry_delay = record->retry_delay,
		.privacy = record->privacy,
		.keep_alive = record->keep_alive,
		.capacity = record->capacity,
		.enabled = record->enabled != 0,
		.tls_verify = record->tls_verify != 0,
	};
	for (size_t i = 0; i < ACCOUNT_TEXT_COUNT; i++) {
		account->at[i] = (uint16_t)at;
		memcpy(account->texts + at, from[i], length[i]);
		account->texts[at + length[i]] = '\0';
		at += length[i] + 1;
	}
	return account;
}

static bool differs(const struct account *old, const struct account *new, enum account_text which)
{
	return strcmp(account_text(old, which), account_text(new, which)) != 0;
}

unsigned account_compare(const struct account *old, const struct account *new)
{
	unsigned change = 0;

	if (strcmp(account_domain(old), account_domain(new)) != 0 || differs(old, new, ACCOUNT_SERVER) ||
	    differs(old, new, ACCOUNT_USERNAME) || old->transport != new->transport ||
	    differs(old, new, ACCOUNT_LISTENER))
		change |= ACCOUNT_MOVED;
	if (differs(old, new, ACCOUNT_PASSWORD) || old->port != new->port || old->tls_verify != new->tls_verify ||
	    strcmp(account_auth_username(old), account_auth_username(new)) != 0 ||
	    differs(old, new, ACCOUNT_OUTBOUND_PROXY))
		change |= ACCOUNT_ONCE;
	if (strcmp(account_contact_user(old), account_contact_user(new)) != 0 || differs(old, new, ACCOUNT_LINE))
		change |= ACCOUNT_ONCE | ACCOUNT_CONTACT;
	if (old->register_period != new->register_period)
		change |= ACCOUNT_EXPIRY;
	if (old->privacy != new->privacy || differs(old, new, ACCOUNT_DISPLAY_NAME))
		change |= ACCOUNT_SOON;
	if (old->retry_delay != new->retry_delay)
		change |= ACCOUNT_DELAY;
	if (old->keep_alive != new->keep_alive)
		change |= ACCOUNT_KEEP_ALIVE;
	if (old->enabled != new->enabled)
		change |= ACCOUNT_ENABLED;
	return change;
}

static const char *first_given(const char *text, const char *other)
{
	return text[0] ? text : other;
}

const char *account_domain(const struct account *account)
{
	return first_given(account_text(account, ACCOUNT_DOMAIN), account_text(account, ACCOUNT_SERVER));
}

const char *account_auth_username(const struct account *account)
{
	return first_given(account_text(account, ACCOUNT_AUTH_USERNAME), account_text(account, ACCOUNT_USERNAME));
}

const char *account_contact_user(const struct account *account)
{
	return first_given(account_text(account, ACCOUNT_CONTACT_USER), account_text(account, ACCOUNT_USERNAME));
}

int32_t account_period(const struct account *account, const struct sip_parameters *parameters)
{
	int32_t period = account->register_period;

	if (period == KEYWORD(REGISTER_PERIOD_INHERIT))
		period = parameters->SS_SIP_USER_AGENT_EXPIRE;	/* its only keyword is auto */
	return period < 0 ? 0 : period;
}

int32_t account_retry_delay(const struct account *account, const struct sip_parameters *parameters)
{
	return account->retry_delay < 0 ? parameters->SS_SIP_USER_AGENT_RETRY_DELAY : account->retry_delay;
}

int32_t account_privacy(const struct account *account, const struct sip_parameters *parameters)
{
	switch (account->privacy) {
	case TRUNK_PRIVACY_IGNORE:	return PRIVACY_IGNORE;
	case TRUNK_PRIVACY_ID:		return PRIVACY_ID;
	case TRUNK_PRIVACY_NONE:	return PRIVACY_NONE;
	default:			return parameters->SS_SIP_USER_AGENT_PRIVACY;
	}
}

void account_path(const struct account *account, char *host, size_t size, int32_t *port)
{
	const char *proxy = account_text(account, ACCOUNT_OUTBOUND_PROXY), *colon;
	const char *whole = proxy[0] ? proxy : account_text(account, ACCOUNT_SERVER);
	size_t len = strlen(whole);

	*port = proxy[0] ? 0 : account->port;
	colon = strrchr(whole, ':');
	if (proxy[0] && colon && !strchr(colon, ']')) {
		*port = (int32_t)strtol(colon + 1, NULL, 10);
		len = (size_t)(colon - whole);
	}
	if (len >= size)
		len = size - 1;
	memcpy(host, whole, len);
	host[len] = '\0';
}

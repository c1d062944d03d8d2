/* A response to REGISTER, reduced to what the registration life cycle needs.  Every byte of it is hostile. */
#include "sip_stack.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SECONDS_MAX INT32_MAX

/* A count of seconds as senders write it; -1 when it is none. */
static int32_t seconds(const char *text)
{
	unsigned long long value;
	char *end;

	if (!text || !isdigit((unsigned char)text[0]))
		return -1;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (*end && !isspace((unsigned char)*end))
		return -1;
	return errno || value > SECONDS_MAX ? SECONDS_MAX : (int32_t)value;
}

static void copy_text(char *to, size_t size, const char *from)
{
	size_t len = from ? strnlen(from, size - 1) : 0;

	if (len)
		memcpy(to, from, len);
	to[len] = '\0';
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)to[i] < 0x20 || to[i] == 0x7f)
			to[i] = '?';
}

/* Value of a header parameter, unquoted into home; NULL when absent. */
static const char *parameter(su_home_t *home, msg_param_t const *params, const char *name)
{
	const char *value = msg_params_find(params, name);
	char *plain;

	if (!value || value[0] != '"')
		return value;
	plain = msg_unquote_dup(home, value);
	return plain ? plain : "";
}

/* What we repeat in our next request must not bring lines of its own: a folded header may hide line breaks in quotes. */
static bool repeatable(const char *text)
{
	for (; text && *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

static bool realm_known(const struct sip_answer *answer, const struct digest_challenge *c)
{
	for (size_t i = 0; i < answer->challenge_count; i++)
		if (answer->challenges[i].proxy == c->proxy && strcmp(answer->challenges[i].realm, c->realm) == 0)
			return true;
	return false;
}

/* Keeps, for each realm, the first challenge that we can answer: the server lists them in its order of preference. */
static void read_challenges(struct sip_answer *answer, su_home_t *home, msg_auth_t const *list, bool proxy)
{
	for (msg_auth_t const *au = list; au; au = au->au_next) {
		struct digest_challenge c = { .proxy = proxy };
		const char *algorithm, *stale;

		if (!au->au_scheme || strcasecmp(au->au_scheme, "Digest") != 0) {
			answer->unsupported_challenges++;
			continue;
		}
		algorithm = parameter(home, au->au_params, "algorithm=");
		stale = parameter(home, au->au_params, "stale=");
		c.realm = parameter(home, au->au_params, "realm=");
		c.nonce = parameter(home, au->au_params, "nonce=");
		c.opaque = parameter(home, au->au_params, "opaque=");
		c.algorithm = (uint8_t)digest_algorithm_by_word(algorithm, &c.session);
		c.algorithm_given = algorithm != NULL;
		c.qop = (uint8_t)digest_qop_by_list(parameter(home, au->au_params, "qop="));
		c.stale = stale && strcasecmp(stale, "true") == 0;
		if (!c.realm || !c.nonce || !repeatable(c.realm) || !repeatable(c.nonce) || !repeatable(c.opaque) ||
		    c.algorithm == DIGEST_UNSUPPORTED || c.qop == DIGEST_QOP_UNSUPPORTED) {
			answer->unsupported_challenges++;
			continue;
		}
		if (answer->challenge_count < SIP_CHALLENGES_MAX && !realm_known(answer, &c))
			answer->challenges[answer->challenge_count++] = c;
	}
}

static bool same_host_port(const url_t *url, const struct sip_contact *ours)
{
	const char *port = url->url_port && url->url_port[0] ? url->url_port : "5060";
	return url->url_host && strcasecmp(url->url_host, ours->host) == 0 && strcmp(port, ours->port) == 0;
}

static bool same_address(su_home_t *home, const url_t *url, const struct sip_contact *ours)
{
	char *user;
	bool same;

	if (!url->url_user || !same_host_port(url, ours))
		return false;
	user = su_strdup(home, url->url_user);
	if (!user)
		return false;
	url_unescape(user, user);
	same = strcmp(user, ours->user) == 0;
	su_free(home, user);
	return same;
}

/* How surely a Contact is ours.  The line token says it when the registrar kept it, else user, host and port; but an older
 * Contact of ours, with another user or address, has the token too. */
enum likeness { STRANGE, LIKE, SAME };

static enum likeness likeness_of(su_home_t *home, sip_contact_t const *contact, const struct sip_contact *ours)
{
	const url_t *url = contact->m_url;
	char line[SCHEMA_LINE_LEN + 2];
	bool marked = url->url_params && ours->line[0] && url_param(url->url_params, "line", line, sizeof line) > 0;

	if (marked && strcmp(line, ours->line) != 0)
		return STRANGE;
	return same_address(home, url, ours) ? SAME : marked ? LIKE : STRANGE;
}

static void read_bindings(struct sip_answer *answer, su_home_t *home, const sip_t *sip, const struct sip_contact *ours)
{
	enum likeness best = STRANGE;

	for (sip_contact_t const *m = sip->sip_contact; m; m = m->m_next) {
		enum likeness likeness = likeness_of(home, m, ours);
		if (likeness <= best)
			continue;
		best = likeness;
		answer->granted = seconds(m->m_expires);
	}
	answer->binding = sip->sip_contact && best == STRANGE ? SIP_BINDING_OTHERS : SIP_BINDING_OURS;
	if (answer->granted < 0 && sip->sip_expires)
		answer->granted = sip->sip_expires->ex_delta > SECONDS_MAX ? SECONDS_MAX : (int32_t)sip->sip_expires->ex_delta;
}

static void read_redirect(struct sip_answer *answer, const sip_t *sip)
{
	for (sip_contact_t const *m = sip->sip_contact; m; m = m->m_next) {
		const url_t *url = m->m_url;
		if (url->url_type != url_sip && url->url_type != url_sips)
			continue;
		if (!url->url_host || strlen(url->url_host) >= sizeof answer->redirect_host ||
		    schema_text_fault(FT_HOST, url->url_host, strlen(url->url_host)))
			continue;
		copy_text(answer->redirect_host, sizeof answer->redirect_host, url->url_host);
		if (url->url_port && url->url_port[0]) {
			int32_t port = seconds(url->url_port);
			answer->redirect_port = port > 0 && port <= 65535 ? (uint16_t)port : 0;
		}
		return;
	}
}

static void read_public_address(struct sip_answer *answer, const sip_t *sip)
{
	sip_via_t const *via = sip->sip_via;
	const char *host;
	int32_t port;

	if (!via || (!via->v_received && !(via->v_rport && via->v_rport[0])))
		return;
	host = via->v_received ? via->v_received : via->v_host;
	port = via->v_rport && via->v_rport[0] ? seconds(via->v_rport) : seconds(via->v_port);
	if (host && !address_parse(&answer->public_address, host, port > 0 && port <= 65535 ? (uint16_t)port : 0))
		answer->public_address.family = AF_UNSPEC;
}

void sip_answer_read(struct sip_answer *answer, su_home_t *home, const sip_t *sip, const struct sip_contact *ours)
{
	memset(answer, 0, sizeof *answer);
	answer->result = SIP_ANSWERED;
	answer->granted = answer->min_expires = answer->retry_after = -1;
	if (!sip || !sip->sip_status)
		return;
	answer->code = (uint16_t)sip->sip_status->st_status;
	copy_text(answer->phrase, sizeof answer->phrase, sip->sip_status->st_phrase);
	read_public_address(answer, sip);
	if (answer->code >= 200 && answer->code < 300)
		read_bindings(answer, home, sip, ours);
	if (answer->code >= 300 && answer->code < 400)
		read_redirect(answer, sip);
	if (answer->code == 401)
		read_challenges(answer, home, sip->sip_www_authenticate, false);
	if (answer->code == 407)
		read_challenges(answer, home, sip->sip_proxy_authenticate, true);
	if (sip->sip_min_expires)
		answer->min_expires = sip->sip_min_expires->me_delta > SECONDS_MAX ? SECONDS_MAX
		                                                                   : (int32_t)sip->sip_min_expires->me_delta;
	if (sip->sip_retry_after)
		answer->retry_after = sip->sip_retry_after->af_delta > SECONDS_MAX ? SECONDS_MAX
		                                                                   : (int32_t)sip->sip_retry_after->af_delta;
}

int sip_challenges_read(struct sip_challenge_list *list, const struct sip_message *message)
{
	static const struct sip_contact none = { "", "", "", "" };
	struct sip_answer answer;

	memset(list, 0, sizeof *list);
	list->home = su_home_new(sizeof(su_home_t));
	if (!list->home)
		return ENOMEM;
	sip_answer_read(&answer, list->home, (const sip_t *)(const void *)message, &none);
	memcpy(list->challenges, answer.challenges, sizeof list->challenges);
	list->count = answer.challenge_count;
	return 0;
}

void sip_challenges_free(struct sip_challenge_list *list)
{
	su_home_unref(list->home);
	list->home = NULL;
}

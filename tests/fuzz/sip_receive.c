/*
 * Datagrams from callers, gateways and strangers, through a real socket, to the switch as it is: guard, SIP stack, call engine, two
 * routing gateways.  The clock is the target's own and stands still but where nothing is left to do, so that half a minute of
 * retransmissions takes no time, and the same input does the same again.
 *
 * An input is a list of parts with "\n====\n" between them.  The first byte of a part says whose it is: 'c' caller, 't' the same on a
 * TCP connection, 'd' caller by digest, 'g' 'h' the gateways, 'u' a stranger; the rest is the datagram, or a piece of the stream.  'w': so many milliseconds pass.  'x': all calls are hung up.
 * In a datagram $V $F $T $I $C $K stand for the Vias (whole lines), From, To, Call-ID, CSeq number and Contact of the last
 * request that this peer got, in lower case for those of the last response, $a for the Authorization header that answers its challenge.
 *
 * Whatever was sent: when the calls were hung up and a minute is over, nothing of them is left.
 */
#include "switchcore/calls.h"
#include "switchcore/chance.h"
#include "switchcore/log.h"
#include "switchcore/pacing.h"

#include <assert.h>
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/shm/scratch.h"

static int fuzz_clock(clockid_t id, struct timespec *now);
#define clock_gettime fuzz_clock
#include "switchcore/loop.c"
#undef clock_gettime

#include <sofia-sip/su_time.h>

#define PARTS_MAX 64
#define WAIT_MAX_MS 100000u
#define LINGER_US (70 * SECOND_US)	/* 64 T1, and what a last BYE takes */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ------------------------------------------------------------------ time and chance */

static uint64_t virtual_us;

static int fuzz_clock(clockid_t id, struct timespec *now)
{
	(void)id;
	now->tv_sec = (time_t)(virtual_us / SECOND_US);
	now->tv_nsec = (long)(virtual_us % SECOND_US) * 1000;
	return 0;
}

/* Hooks of the stack.  A look at the clock takes a microsecond: the stack's timers for connections would wait for the next one
 * within one step. */
extern void (*_su_time)(su_time_t *time);
extern uint64_t (*_su_nanotime)(uint64_t *time), (*_su_monotime)(uint64_t *time);

static void stack_time(su_time_t *time)
{
	virtual_us++;
	time->tv_sec = (unsigned long)(virtual_us / SECOND_US) + 2208988800u;	/* since 1900 */
	time->tv_usec = (unsigned long)(virtual_us % SECOND_US);
}

static uint64_t stack_nanotime(uint64_t *time)
{
	return *time = (virtual_us + UINT64_C(2208988800000000)) * 1000;
}

static uint64_t stack_monotime(uint64_t *time)
{
	return *time = virtual_us * 1000;
}

/* Called by the stack: where nothing happens, time passes.  A little also where it asks to wait for no time at all, as it does when
 * less than a millisecond is left until its next timer. */
int epoll_wait(int fd, struct epoll_event *events, int room, int timeout)
{
	int n = epoll_pwait(fd, events, room, 0, NULL);

	if (n == 0)
		virtual_us += timeout > 0 ? (uint64_t)timeout * 1000 : 100;
	return n;
}

static uint64_t random_state;

static uint64_t next_random(void)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return random_state ^ random_state >> 29;
}

uint64_t su_random64(void);
uint64_t su_random64(void)
{
	return next_random();
}

void chance_bytes(void *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((unsigned char *)bytes)[i] = (unsigned char)(next_random() >> 32);
}

uint32_t chance_word(void)
{
	return (uint32_t)(next_random() >> 32);
}

void chance_hex(char *text, size_t digits)
{
	for (size_t i = 0; i < digits; i++)
		text[i] = "0123456789abcdef"[next_random() >> 60];
	text[digits] = '\0';
}

/* ------------------------------------------------------------------ records go nowhere, but must be whole */

int cdr_write(struct cdr_writer *w, const struct cdr *cdr)
{
	size_t length = 0;

	(void)w;
#define CDR_TIME(name) length += cdr->name > 0;
#define CDR_NUMBER(name) length += cdr->name > 0;
#define CDR_TEXT(name) length += strlen(cdr->name);
#define CDR_LIST(name, member) length += strlen(cdr->name);
#include "shm/cdr.def"
	assert(cdr->setup_at <= cdr->ended_at && length < 16384);
	return 0;
}

/* ------------------------------------------------------------------ the peers */

struct peer {
	char who;
	const char *address;
	int fd;
	struct sockaddr_in own;
	char request[8192], response[8192];	/* the last ones it got */
};

static struct peer peers[] = {
	{ .who = 'c', .address = "127.0.0.2" }, { .who = 'd', .address = "127.0.0.5" }, { .who = 'g', .address = "127.0.0.3" },
	{ .who = 'h', .address = "127.0.0.3" }, { .who = 'u', .address = "127.0.0.4" },
	{ .who = 't', .address = "127.0.0.2", .fd = -1 },
};
#define STREAM 't'	/* its connection is made when it is needed */
#define PEERS (sizeof peers / sizeof peers[0])

/* With VERBOSE in the environment: what passes, to understand an input. */
static bool verbose;

static void tell(const struct peer *p, const char *arrow, const char *bytes, size_t length)
{
	if (verbose)
		fprintf(stderr, "%.3f %c %s\n%.*s\n", (double)virtual_us / 1e6 - 1700000000.0, p->who, arrow, (int)length, bytes);
}

static void open_peer(struct peer *p)
{
	int type = p->who == STREAM ? SOCK_STREAM : SOCK_DGRAM;
	socklen_t length = sizeof p->own;

	p->own = (struct sockaddr_in){ .sin_family = AF_INET };
	inet_pton(AF_INET, p->address, &p->own.sin_addr);
	p->fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->fd < 0 || bind(p->fd, (struct sockaddr *)&p->own, sizeof p->own) != 0 ||
	    getsockname(p->fd, (struct sockaddr *)&p->own, &length) != 0) {
		perror("a peer's socket");
		exit(1);
	}
}

static void close_peer(struct peer *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

static bool drain(void)
{
	static char bytes[65536];
	bool any = false;

	for (size_t i = 0; i < PEERS; i++)
		for (ssize_t n; peers[i].fd >= 0 && (n = recv(peers[i].fd, bytes, sizeof bytes - 1, 0)) >= 0; any = true) {
			if (n == 0 && peers[i].who == STREAM) {
				close_peer(&peers[i]);
				break;
			}
			bool response = n > 8 && memcmp(bytes, "SIP/2.0 ", 8) == 0;
			bytes[n] = '\0';
			tell(&peers[i], "gets", bytes, (size_t)n);
			snprintf(response ? peers[i].response : peers[i].request, sizeof peers[i].request, "%s", bytes);
		}
	return any;
}

/* A header's value in a message that we sent ourselves: one line each, long names. */
static size_t header(const char *message, const char *name, const char **value)
{
	size_t length = strlen(name);

	for (const char *line = strstr(message, "\r\n"); line && strncmp(line, "\r\n\r\n", 4) != 0; line = strstr(line + 2, "\r\n"))
		if (strncmp(line + 2, name, length) == 0 && line[2 + length] == ':') {
			*value = line + 2 + length + 1 + (line[2 + length + 1] == ' ');
			return strcspn(*value, "\r");
		}
	*value = "";
	return 0;
}

struct text { char bytes[65536]; size_t length; };

static void add(struct text *text, const char *bytes, size_t length)
{
	if (length > sizeof text->bytes - text->length)
		length = sizeof text->bytes - text->length;
	memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
}

static void add_vias(struct text *out, const char *message)
{
	for (const char *line = message; line && *line && strncmp(line, "\r\n", 2) != 0;) {
		size_t length = strcspn(line, "\n") + 1;
		if (strncmp(line, "Via:", 4) == 0)
			add(out, line, strnlen(line, length));
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
}

static void add_authorization(struct text *out, const char *response)
{
	const char *value, *from;
	size_t length = header(response, "WWW-Authenticate", &value);
	char nonce[100] = "", answer[1024];
	const struct digest_challenge challenge = { .algorithm = DIGEST_MD5, .algorithm_given = true, .qop = DIGEST_QOP_AUTH,
	                                            .realm = CHALLENGE_REALM, .nonce = nonce };
	const struct digest_request request = { .username = "digest", .password = "secret", .method = "INVITE",
	                                        .uri = "sip:880@127.0.0.1", .cnonce = "x", .count = 1 };

	from = length ? strstr(value, "nonce=\"") : NULL;
	if (from)
		snprintf(nonce, sizeof nonce, "%.*s", (int)strcspn(from + 7, "\""), from + 7);
	if (digest_answer(answer, sizeof answer, &challenge, &request) != 0)
		return;
	add(out, "Authorization: ", 15);
	add(out, answer, strlen(answer));
	add(out, "\r\n", 2);
}

static void add_field(struct text *out, const struct peer *p, char field)
{
	static const struct { char field; const char *header; } fields[] = {
		{ 'F', "From" }, { 'T', "To" }, { 'I', "Call-ID" }, { 'C', "CSeq" }, { 'K', "Contact" },
	};
	char upper = field >= 'a' && field <= 'z' ? (char)(field - 32) : field;
	const char *message = field == upper ? p->request : p->response, *value;
	size_t length;

	if (field == 'a')
		add_authorization(out, p->response);
	else if (upper == 'V')
		add_vias(out, message);
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
		if (fields[i].field == upper) {
			length = header(message, fields[i].header, &value);
			if (upper == 'C')
				length = strspn(value, "0123456789");
			add(out, value, length);
		}
}

/* ------------------------------------------------------------------ the switch */

static char *dir;
static struct loop *loop;
static struct resolver *resolver;
static struct status_writer *status;
static struct listener listeners[2];		/* UDP, TCP */
static struct sip *sip;
static struct pacing *pacing;
static struct registrations *registrations;
static struct gateways *gateways;
static struct calls *calls;

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static uint64_t world_now(void *arg)
{
	(void)arg;
	return loop_now();
}

static uint32_t world_random(void *arg)
{
	(void)arg;
	return chance_word();
}

static const struct listener *world_listener(void *arg, const char *name, int32_t transport, sa_family_t family)
{
	(void)arg;
	return sip_listener(sip, name, transport, family);
}

static int world_resolve(void *arg, struct resolver_wait *wait, struct resolver_result *result, const char *host, uint16_t port,
                         int32_t transport)
{
	(void)arg;
	return resolver_find(resolver, wait, result, host, port, transport);
}

static int world_probe(void *arg, struct sip_transaction **transaction, const struct sip_probe *probe, sip_answer_f *answer,
                       void *answer_arg)
{
	(void)arg;
	return sip_probe_send(sip, transaction, probe, answer, answer_arg);
}

static void world_release(void *arg, struct sip_transaction *transaction)
{
	(void)arg;
	sip_transaction_release(transaction);
}

static void world_report(void *arg, enum kind_id kind, uint32_t id, const struct gateway_status *told)
{
	(void)arg, (void)kind, (void)id, (void)told;
}

static void world_event(void *arg, const struct status_event *event)
{
	(void)arg, (void)event;
}

static void before(void *arg)
{
	(void)arg;
	loop_refresh_clock();
}

static struct sip_parameters default_parameters(void)
{
	return (struct sip_parameters){
		.SS_REPLY_UNAUTHORIZED = 1, .SS_SIP_STOP_SWITCH_AFTER_SDP = 1, .SS_SIP_AUTHENTICATION_CODE = 401,
		.SS_SIP_AUTHENTICATION_RETRY = 6, .SS_SIP_AUTHENTICATION_TIMEOUT = 10, .SS_SIP_TIMEOUT_INVITE = 10,
		.SS_SIP_TIMEOUT_TRYING = 20, .SS_SIP_TIMEOUT_SESSION_PROGRESS = 20, .SS_SIP_TIMEOUT_SESSION_PROGRESS_SDP = 120,
		.SS_SIP_SESSION_TTL = 90, .SS_SIP_SESSION_UPDATE_SEGMENT = 2, .SS_SIP_NO_TIMER_REINVITE_INTERVAL = 7200,
		.SS_SIP_TIMEOUT_RINGING = 120, .SS_SIP_E164_DISPLAY_FROM = DISPLAY_FROM_PASSTHROUGH,
		.SS_SIP_RESEND_INTERVAL = { 10, { 500, 1000, 2000, 4000, 4000, 4000, 4000, 4000, 4000, 4000 } },
	};
}

static struct record head(uint32_t id, const char *name)
{
	struct record record = { .id = id, .present = 1, .incarnation = id + 1, .revision = 1 };

	snprintf(record.name, sizeof record.name, "%s", name);
	return record;
}

static void put_routing(uint32_t id, const char *name, const struct peer *peer)
{
	struct routing_gateway_record r = {
		.head = head(id, name), .enabled = 1, .port = ntohs(peer->own.sin_port), .priority = (int32_t)id + 1,
		.stop_codes = { 2, { 486, 487 } }, .privacy = GATEWAY_PRIVACY_PASSTHROUGH, .p_asserted_identity = IDENTITY_PASSTHROUGH,
		.p_preferred_identity = IDENTITY_CALLER, .remote_party_id = 1, .timeout_invite = KEYWORD(0), .timeout_trying = KEYWORD(0),
		.timeout_session_progress = KEYWORD(0), .timeout_session_progress_sdp = KEYWORD(0), .timeout_ringing = KEYWORD(0),
		.username = "digest", .password = "secret",
		/* one that is spoken to by its socket, one by its Contact, which then may be any name */
		.request_address = id ? REQUEST_ADDRESS_CONTACT : REQUEST_ADDRESS_SOCKET,
		.invite_use_contact = id ? INVITE_MODE_ON : INVITE_MODE_OFF,
		.callee_rewrite = { 1, { { "880", "99880" } } },
	};

	snprintf(r.host, sizeof r.host, "%s", peer->address);
	demand(gateways_put_routing(gateways, &r) == 0);
}

static void put_mapping(uint32_t id, const char *name, const char *source, int32_t authentication)
{
	struct mapping_gateway_record m = {
		.head = head(id, name), .enabled = 1, .sources = { .count = 1 }, .authentication = authentication, .trusted = 1,
		.password = "secret", .reply_address = REPLY_ADDRESS_SOCKET,
		.request_address = id ? REQUEST_ADDRESS_CONTACT_PORT : REQUEST_ADDRESS_SOCKET,
		.caller = id ? CALLER_SOURCE_P_ASSERTED_IDENTITY : CALLER_SOURCE_FROM,
	};

	snprintf(m.sources.source[0], sizeof m.sources.source[0], "%s", source);
	demand(gateways_put_mapping(gateways, &m) == 0);
}

static void open_switch(void)
{
	const struct registration_world registration_world = { .now = world_now, .wall = world_now, .random = world_random };
	const struct gateway_world gateway_world = {
		.now = world_now, .wall = world_now, .random = world_random, .listener = world_listener, .resolve = world_resolve,
		.probe = world_probe, .release = world_release, .report = world_report, .event = world_event,
	};
	const struct sip_options options = { .tls_scratch = dir, .before = before };
	const struct sip_parameters parameters = default_parameters();
	struct calls_parts parts = { .resolver = resolver, .timers = loop_timers(loop), .status = status };
	struct sip_why why;

	virtual_us = 1700000000 * SECOND_US;
	random_state = 1;
	loop_refresh_clock();
	demand(!listener_parse(&listeners[0], "udp:127.0.0.1:0") && !listener_parse(&listeners[1], "tcp:127.0.0.1:0"));
	demand(sip_open(&sip, loop, listeners, 2, &options, &why) == 0);
	demand(pacing_create(&pacing, &(struct pacing_limits){ 0 }) == 0);
	demand(registrations_create(&registrations, &registration_world, loop_timers(loop), pacing) == 0);
	demand(gateways_create(&gateways, &gateway_world, loop_timers(loop), registrations) == 0);
	parts.sip = sip;
	parts.registrations = registrations;
	parts.gateways = gateways;
	demand(calls_create(&calls, &parts) == 0);
	gateways_parameters(gateways, &parameters);
	calls_parameters(calls, &parameters);
	sip_handle(sip, calls_received, calls);
	put_routing(0, "gateway", &peers[2]);
	put_routing(1, "second", &peers[3]);
	put_mapping(0, "caller", peers[0].address, AUTHENTICATION_IP);
	put_mapping(1, "digest", peers[1].address, AUTHENTICATION_DIGEST);
	gateways_tick(gateways);
}

static void close_switch(void)
{
	calls_destroy(calls);
	gateways_destroy(gateways);
	registrations_destroy(registrations);
	sip_close(sip);
	pacing_destroy(pacing);
}

static void turn(uint64_t until)
{
	loop_step(loop, until);
	timers_run(loop_timers(loop), loop_now());
	sip_turn(sip);
	gateways_tick(gateways);
	calls_tick(calls);
}

/* What was sent arrives, and what that leads to; the clock stands still. */
static void settle(void)
{
	for (int quiet = 0, turns = 0; quiet < 3 && turns < 100; turns++) {
		turn(loop_now());
		quiet = drain() ? 0 : quiet + 1;
	}
}

static void pass(uint64_t us)
{
	uint64_t until = loop_now() + us;

	for (int turns = 0; loop_now() < until && turns < 5000; turns++) {
		turn(until < loop_now() + SECOND_US ? until : loop_now() + SECOND_US);
		drain();
	}
}

/* ------------------------------------------------------------------ an input */

/* Until it lies in the switch's socket: within the machine that is soon, but not always at once. */
static void send_stream(const struct peer *peer, const struct text *text)
{
	int waiting = send(peer->fd, text->bytes, text->length, MSG_NOSIGNAL) > 0;

	for (int i = 0; i < 1000 && waiting > 0 && ioctl(peer->fd, SIOCOUTQ, &waiting) == 0 && waiting > 0; i++)
		usleep(20);
}

static void send_part(struct peer *peer, const uint8_t *data, size_t size)
{
	static struct text text;
	const union address *to = &listeners[peer->who == STREAM].bound.address;

	text.length = 0;
	for (size_t i = 0; i < size; i++) {
		if (data[i] == '$' && i + 1 < size)
			add_field(&text, peer, (char)data[++i]);
		else
			add(&text, (const char *)data + i, 1);
	}
	tell(peer, "sends", text.bytes, text.length);
	if (peer->fd < 0) {
		open_peer(peer);
		connect(peer->fd, &to->any, address_length(to));
		settle();
	}
	if (peer->who == STREAM && peer->fd >= 0)
		send_stream(peer, &text);
	else if (peer->fd >= 0)
		sendto(peer->fd, text.bytes, text.length, 0, &to->any, address_length(to));
	settle();
}

static void do_part(const uint8_t *data, size_t size)
{
	uint32_t ms = 0;

	if (size > 0 && data[0] == 'w') {
		for (size_t i = 1; i < size && data[i] >= '0' && data[i] <= '9' && ms < WAIT_MAX_MS; i++)
			ms = ms * 10 + data[i] - '0';
		pass((uint64_t)(ms < WAIT_MAX_MS ? ms : WAIT_MAX_MS) * 1000);
	} else if (size > 0 && data[0] == 'x') {
		calls_stop(calls);
		settle();
	}
	for (size_t i = 0; i < PEERS; i++)
		if (size > 0 && peers[i].who == data[0])
			send_part(&peers[i], data + 1, size - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char between[] = "\n====\n";
	const size_t gap = sizeof between - 1;

	open_switch();
	for (int parts = 0; size > 0 && parts < PARTS_MAX; parts++) {
		const uint8_t *end = memmem(data, size, between, gap);
		size_t length = end ? (size_t)(end - data) : size;
		do_part(data, length);
		length += end ? gap : 0;
		data += length;
		size -= length;
	}
	calls_stop(calls);
	pass(LINGER_US);
	demand(calls_active(calls) == 0 && calls_stopped(calls));
	close_switch();
	drain();
	for (size_t i = 0; i < PEERS; i++) {
		if (peers[i].who == STREAM)
			close_peer(&peers[i]);
		peers[i].request[0] = peers[i].response[0] = '\0';
	}
	return 0;
}

/* ------------------------------------------------------------------ once */

static void leave(void)
{
	resolver_destroy(resolver);
	status_writer_close(status);
	loop_destroy(loop);
	scratch_remove(dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct resolver_options nowhere = { .dns_server = "127.0.0.1:9", .hosts_file = "/dev/null", .ipv4 = true };
	const struct status_options options = { .version = "fuzz", .listeners = "", .trace_bytes = 1u << 20 };
	struct shm_why why;

	(void)argc, (void)argv;
	verbose = getenv("VERBOSE") != NULL;
	_su_time = stack_time;
	_su_nanotime = stack_nanotime;
	_su_monotime = stack_monotime;
	log_set_level(LOG_LEVEL_ERROR);
	dir = scratch_dir();
	demand(loop_create(&loop) == 0 && resolver_create(&resolver, loop, &nowhere) == 0);
	demand(status_writer_open(&status, dir, &options, &why) == 0);
	for (size_t i = 0; i < PEERS; i++)
		if (peers[i].who != STREAM)
			open_peer(&peers[i]);
	atexit(leave);
	return 0;
}

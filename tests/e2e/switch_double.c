/*
 * Plays the switch towards mgmtd, so that tests of what mgmtd shows need no calls:
 *
 *     switch_double RUN-DIRECTORY
 *
 * Attaches to the configuration, makes a status segment, answers the control socket.  Obeys the lines of its input, and says
 * "done" after each:
 *
 *     gateway KIND ID INCARNATION [name=value …]             KIND as enum kind_id; a gateway's status record
 *     call SLOT SERIAL [name=value …]                        a call's record; its id is SERIAL << 20 | SLOT
 *     fill COUNT                                             so many calls, call i in slot i, begun a second after the other
 *     numbers ACTIVE PER-SECOND
 *     event KIND ID INCARNATION FROM TO CODE
 *     message in|out udp|tcp|tls LOCAL PORT REMOTE PORT HEX  a traced message
 *     answer COMMAND ERROR CODE HEX                          how the command is answered from now on; HEX "-" = no text
 *     silent                                                 no command is answered any more
 *     ring
 *
 * A command that comes in is told as "asked COMMAND KIND OBJECT INCARNATION HEX".  Ends at the end of its input.
 */
#include "shm/config.h"
#include "shm/control.h"
#include "shm/snapshot.h"
#include "shm/status.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES (1u << 20)
#define COMMANDS 8
#define BEAT_MS 200

static struct {
	struct config_reader *config;
	struct status_writer *status;
	int listener, peer;			/* -1 = none */
	struct control_packet packet;
	struct { int32_t error; uint32_t code; size_t len; char text[CONTROL_TEXT_MAX]; } answers[COMMANDS];
	bool silent;
	char line[LINE_MAX_BYTES];
	size_t len;
} self = { .listener = -1, .peer = -1 };

static void fail(const char *what)
{
	fprintf(stderr, "switch_double: %s\n", what);
	exit(1);
}

static uint64_t wall_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static const char *word(char **rest)
{
	const char *w = strsep(rest, " ");

	if (!w || !*w)
		fail("a word is missing");
	return w;
}

static uint64_t number(char **rest)
{
	return strtoull(word(rest), NULL, 0);
}

static size_t unhex(char *to, size_t size, const char *hex)
{
	size_t len = strcmp(hex, "-") == 0 ? 0 : strlen(hex) / 2;

	if (len > size)
		fail("too long");
	for (size_t i = 0; i < len; i++) {
		const char two[3] = { hex[2 * i], hex[2 * i + 1], '\0' };
		char *end;
		to[i] = (char)strtoul(two, &end, 16);
		if (end != two + 2)
			fail("no hex");
	}
	return len;
}

/* ------------------------------------------------------------------ records */

struct member { const char *name; size_t offset, size; bool text; };
#define NUMBER(owner, name) { #name, offsetof(struct owner, name), sizeof(((struct owner *)0)->name), false }
#define TEXT(owner, name) { #name, offsetof(struct owner, name), sizeof(((struct owner *)0)->name), true }

static const struct member gateway_members[] = {
	NUMBER(gateway_status, routable), NUMBER(gateway_status, probe), NUMBER(gateway_status, probe_code),
	NUMBER(gateway_status, probe_rtt_us), NUMBER(gateway_status, probe_at), NUMBER(gateway_status, probe_since),
	NUMBER(gateway_status, held_until), NUMBER(gateway_status, calls), NUMBER(gateway_status, capacity),
	NUMBER(gateway_status, max_cps), NUMBER(gateway_status, cps), NUMBER(gateway_status, calls_total),
	NUMBER(gateway_status, answered_total), NUMBER(gateway_status, calls_last_hour),
	NUMBER(gateway_status, answered_last_hour), NUMBER(gateway_status, ended_last_hour),
	NUMBER(gateway_status, seconds_last_hour), TEXT(gateway_status, why), { NULL, 0, 0, false },
};
static const struct member call_members[] = {
	NUMBER(call_status, setup_at), NUMBER(call_status, ringing_at), NUMBER(call_status, answered_at),
	NUMBER(call_status, ended_at), NUMBER(call_status, phase), NUMBER(call_status, code), TEXT(call_status, mapping_gateway),
	TEXT(call_status, routing_gateway), TEXT(call_status, registration), TEXT(call_status, caller_in),
	TEXT(call_status, callee_in), TEXT(call_status, caller_out), TEXT(call_status, routed), TEXT(call_status, call_id_in),
	TEXT(call_status, call_id_out), { NULL, 0, 0, false },
};

static void set(void *record, const struct member *members, char *assignment)
{
	char *value = strchr(assignment, '=');
	uint64_t n;

	if (!value)
		fail("no name=value");
	*value++ = '\0';
	while (members->name && strcmp(members->name, assignment) != 0)
		members++;
	if (!members->name)
		fail("no such member");
	n = strtoull(value, NULL, 0);
	if (members->text)
		snprintf((char *)record + members->offset, members->size, "%s", value);
	else
		memcpy((char *)record + members->offset, &n, members->size);	/* little-endian */
}

static void put(unsigned table, uint32_t id, void *record, const struct member *members, char **rest)
{
	for (char *assignment; (assignment = strsep(rest, " ")) != NULL;)
		if (*assignment)
			set(record, members, assignment);
	if (status_reserve(self.status, table, id + 1) != 0 || status_put(self.status, table, id, record) != 0)
		fail("the record cannot be put");
}

static void put_gateway(char **rest)
{
	unsigned kind = (unsigned)number(rest);
	uint32_t id = (uint32_t)number(rest);
	struct gateway_status status = { .incarnation = number(rest) };

	put(kind, id, &status, gateway_members, rest);
}

static void put_call(char **rest)
{
	uint32_t slot = (uint32_t)number(rest);
	struct call_status call = { .id = number(rest) << CALL_SLOT_BITS | slot, .setup_at = wall_us() };

	put(STATUS_CALL, slot, &call, call_members, rest);
}

static void fill(char **rest)
{
	uint32_t count = (uint32_t)number(rest);

	if (status_reserve(self.status, STATUS_CALL, count) != 0)
		fail("no room");
	for (uint32_t i = 0; i < count; i++) {
		struct call_status call = { .id = UINT64_C(0x1000) << CALL_SLOT_BITS | i, .phase = CALL_ANSWERED,
		                            .setup_at = UINT64_C(1700000000000000) + i * UINT64_C(1000000),
		                            .answered_at = UINT64_C(1700000000500000) + i * UINT64_C(1000000) };
		snprintf(call.callee_in, sizeof call.callee_in, "%u", i);
		status_put(self.status, STATUS_CALL, i, &call);
	}
}

/* ------------------------------------------------------------------ news, messages, answers */

static void tell_event(char **rest)
{
	struct status_event event = { .at = wall_us() };

	event.kind = (uint8_t)number(rest);
	event.id = (uint32_t)number(rest);
	event.incarnation = number(rest);
	event.from = (uint8_t)number(rest);
	event.to = (uint8_t)number(rest);
	event.code = (uint16_t)number(rest);
	status_event(self.status, &event);
}

static struct sockaddr_in6 address(char **rest)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6 };
	const char *host = word(rest);
	char mapped[80];

	snprintf(mapped, sizeof mapped, "%s%s", strchr(host, ':') ? "" : "::ffff:", host);
	if (inet_pton(AF_INET6, mapped, &a.sin6_addr) != 1)
		fail("no address");
	a.sin6_port = htons((uint16_t)number(rest));
	return a;
}

static void trace(char **rest)
{
	static char message[LINE_MAX_BYTES / 2];
	const char *direction = word(rest), *transport = word(rest);
	struct trace_header header = { .at = wall_us() };
	size_t len;

	header.direction = strcmp(direction, "in") == 0 ? TRACE_IN : TRACE_OUT;
	header.transport = strcmp(transport, "udp") == 0 ? TRACE_UDP : strcmp(transport, "tcp") == 0 ? TRACE_TCP : TRACE_TLS;
	header.local = address(rest);
	header.remote = address(rest);
	len = unhex(message, sizeof message, word(rest));
	status_trace(self.status, &header, message, len);
}

static void prepare(char **rest)
{
	uint64_t command = number(rest);

	if (command >= COMMANDS)
		fail("no such command");
	self.answers[command].error = (int32_t)number(rest);
	self.answers[command].code = (uint32_t)number(rest);
	self.answers[command].len = unhex(self.answers[command].text, CONTROL_TEXT_MAX, word(rest));
}

static void obey(char *line)
{
	char *rest = line;
	const char *what = word(&rest);

	if (strcmp(what, "gateway") == 0) {
		put_gateway(&rest);
	} else if (strcmp(what, "call") == 0) {
		put_call(&rest);
	} else if (strcmp(what, "fill") == 0) {
		fill(&rest);
	} else if (strcmp(what, "numbers") == 0) {
		uint32_t active = (uint32_t)number(&rest);
		status_calls(self.status, active, (uint32_t)number(&rest));
	} else if (strcmp(what, "event") == 0) {
		tell_event(&rest);
	} else if (strcmp(what, "message") == 0) {
		trace(&rest);
	} else if (strcmp(what, "answer") == 0) {
		prepare(&rest);
	} else if (strcmp(what, "silent") == 0) {
		self.silent = true;
	} else if (strcmp(what, "ring") == 0) {
		if (self.peer >= 0)
			control_ring(self.peer);
	} else {
		fail("no such word");
	}
	printf("done\n");
}

/* ------------------------------------------------------------------ the two inputs */

static void read_lines(void)
{
	ssize_t n = read(STDIN_FILENO, self.line + self.len, sizeof self.line - self.len - 1);
	char *end;

	if (n <= 0)
		exit(0);
	self.len += (size_t)n;
	self.line[self.len] = '\0';
	while ((end = memchr(self.line, '\n', self.len)) != NULL) {
		size_t used = (size_t)(end + 1 - self.line);
		*end = '\0';
		obey(self.line);
		memmove(self.line, self.line + used, self.len - used);
		self.len -= used;
	}
	if (self.len + 1 == sizeof self.line)
		fail("a line is too long");
}

static void look_at_config(void)
{
	const struct snapshot *snap;
	struct shm_why why;

	if (config_refresh(self.config, &snap, NULL, &why) == 0)
		config_applied(self.config, snapshot_generation(snap));
	config_idle(self.config);
	if (self.peer >= 0)
		control_ring(self.peer);
}

static void answer(void)
{
	const struct control_request *request = &self.packet.request;
	struct control_reply reply = { .id = request->id };
	uint32_t command = request->command < COMMANDS ? request->command : 0;

	printf("asked %u %u %u %llu ", request->command, request->kind, request->object, (unsigned long long)request->incarnation);
	for (size_t i = 0; i < self.packet.length; i++)
		printf("%02x", (unsigned char)self.packet.bytes[i]);
	printf("\n");
	reply.error = self.answers[command].error;
	reply.code = self.answers[command].code;
	if (!self.silent)
		control_answer(self.peer, &reply, self.answers[command].text, self.answers[command].len);
}

static void read_packets(void)
{
	int error;

	while ((error = control_receive(self.peer, &self.packet)) == 0 || error == EBADMSG) {
		if (error)
			continue;
		if (self.packet.type == CONTROL_REQUEST)
			answer();
		else
			look_at_config();
	}
	if (error == EAGAIN)
		return;
	close(self.peer);
	self.peer = -1;
}

static void start(const char *dir)
{
	const struct status_options options = { .version = "double", .listeners = "udp:127.0.0.1:5060", .trace_bytes = 4 << 20 };
	struct shm_why why = { "" };
	int error;

	while ((error = config_reader_open(&self.config, dir, READER_SWITCHCORE, &why)) == ENOENT)
		usleep(2000);
	if (error || status_writer_open(&self.status, dir, &options, &why) != 0 || control_listen(&self.listener, dir, &why) != 0)
		fail(why.text);
	for (int i = 0; i < COMMANDS; i++)
		self.answers[i].error = ENOTSUP;
	look_at_config();
	printf("ready\n");
}

int main(int argc, char **argv)
{
	if (argc != 2)
		fail("usage: switch_double RUN-DIRECTORY");
	setvbuf(stdout, NULL, _IOLBF, 0);
	start(argv[1]);
	for (;;) {
		struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = self.listener, .events = POLLIN },
		                        { .fd = self.peer, .events = POLLIN } };
		poll(fds, 3, BEAT_MS);
		status_heartbeat(self.status);
		if (fds[1].revents && self.peer < 0 && control_accept(&self.peer, self.listener) != 0)
			self.peer = -1;
		if (self.peer >= 0 && fds[2].revents)
			read_packets();
		if (fds[0].revents)
			read_lines();
		look_at_config();
	}
}

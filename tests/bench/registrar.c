/*
 * The cheapest registrar that still checks: UDP, digest (MD5, qop auth), no transactions, no store of bindings.  It costs
 * far less than any client, so the client is what is measured.
 *
 *     registrar --count N [--port P] [--password TEXT]
 *
 * Listens on 127.0.0.1, without --port on a port that the system chooses; prints "registrar ready 127.0.0.1:PORT".  When N different
 * accounts have been registered it prints one JSON line: how long that took from the first REGISTER on, and what it cost.
 * It goes on answering until SIGTERM.  An account is told by the number its user name ends with.  A wrong digest answer is
 * counted and refused with 403.
 */
#include "tests/bench/samples.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define REALM "bench"
#define NONCE "dcd98b7102dd2f0e8b11d0f600bfb0c093"
#define MESSAGE_MAX 8192
#define BATCH 32
#define ACCOUNTS_MAX 10000000u

struct text { const char *at; int len; };
struct request { struct text uri, via, from, to, call_id, cseq, contact, expires, authorization; };

static char in[BATCH][MESSAGE_MAX + 1], out[BATCH][MESSAGE_MAX];
static struct sockaddr_in peers[BATCH];
static struct iovec in_parts[BATCH], out_parts[BATCH];
static struct mmsghdr in_heads[BATCH], out_heads[BATCH];

static const char *password = "secret";
static unsigned long wanted;
static uint8_t *registered;		/* one bit an account */
static unsigned long accounts, messages, refused;
static uint64_t first_at;

static volatile sig_atomic_t stopping;
static void stop(int number) { (void)number; stopping = 1; }

/* ------------------------------------------------------------------ reading */

static void keep(struct text *to, const char *line, size_t name, const char *end)
{
	line += name;
	while (line < end && (*line == ' ' || *line == ':'))
		line++;
	if (!to->at)		/* the topmost */
		*to = (struct text){ line, (int)(end - line) };
}

/* False: not a REGISTER, or one without what an answer needs. */
static bool read_request(struct request *r, const char *text)
{
	const struct { const char *name; struct text *to; } headers[] = {
		{ "Via", &r->via }, { "From", &r->from }, { "To", &r->to }, { "Call-ID", &r->call_id }, { "CSeq", &r->cseq },
		{ "Contact", &r->contact }, { "Expires", &r->expires }, { "Authorization", &r->authorization },
	};
	const char *end = strstr(text, "\r\n");

	memset(r, 0, sizeof *r);
	if (!end || strncmp(text, "REGISTER ", 9) != 0)
		return false;
	r->uri = (struct text){ text + 9, (int)strcspn(text + 9, " ") };
	for (const char *line = end + 2; (end = strstr(line, "\r\n")) && end != line; line = end + 2)
		for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
			size_t len = strlen(headers[i].name);
			if (strncasecmp(line, headers[i].name, len) == 0 && (line[len] == ':' || line[len] == ' '))
				keep(headers[i].to, line, len, end);
		}
	return r->via.at && r->from.at && r->to.at && r->call_id.at && r->cseq.at;
}

/* A parameter of the Authorization header, with its quotes taken off. */
static struct text parameter(struct text header, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = header.at, *end = header.at + header.len; at < end; at++) {
		const char *value = at + len + 1;
		if ((at[-1] != ' ' && at[-1] != ',') || strncasecmp(at, name, len) != 0 || at[len] != '=')
			continue;
		if (*value == '"')
			return (struct text){ value + 1, (int)strcspn(value + 1, "\"\r") };
		return (struct text){ value, (int)strcspn(value, ", \r") };
	}
	return (struct text){ "", 0 };
}

/* ------------------------------------------------------------------ digest */

static void hash(char hex[33], const char *text, int len)
{
	static EVP_MD *md5;
	static EVP_MD_CTX *context;
	unsigned char raw[EVP_MAX_MD_SIZE];

	md5 = md5 ? md5 : EVP_MD_fetch(NULL, "MD5", NULL);
	context = context ? context : EVP_MD_CTX_new();
	if (!md5 || !context || EVP_DigestInit_ex2(context, md5, NULL) != 1 || EVP_DigestUpdate(context, text, (size_t)len) != 1 ||
	    EVP_DigestFinal_ex(context, raw, NULL) != 1) {
		fputs("registrar: no MD5 here\n", stderr);
		exit(1);
	}
	for (int i = 0; i < 16; i++) {
		hex[2 * i] = "0123456789abcdef"[raw[i] >> 4];
		hex[2 * i + 1] = "0123456789abcdef"[raw[i] & 15];
	}
	hex[32] = '\0';
}

static bool authorized(const struct request *r)
{
	struct text a = r->authorization, user = parameter(a, "username"), uri = parameter(a, "uri"), nc = parameter(a, "nc"),
	            cnonce = parameter(a, "cnonce"), nonce = parameter(a, "nonce"), answer = parameter(a, "response");
	char text[1024], ha1[33], ha2[33], expected[33];

	hash(ha1, text, snprintf(text, sizeof text, "%.*s:" REALM ":%s", user.len < 200 ? user.len : 200, user.at, password));
	hash(ha2, text, snprintf(text, sizeof text, "REGISTER:%.*s", uri.len < 500 ? uri.len : 500, uri.at));
	hash(expected, text, snprintf(text, sizeof text, "%s:" NONCE ":%.*s:%.*s:auth:%s", ha1, nc.len < 8 ? nc.len : 8, nc.at,
	                              cnonce.len < 200 ? cnonce.len : 200, cnonce.at, ha2));
	return nonce.len == (int)strlen(NONCE) && memcmp(nonce.at, NONCE, strlen(NONCE)) == 0 && answer.len == 32 &&
	       memcmp(answer.at, expected, 32) == 0;
}

/* ------------------------------------------------------------------ answering */

static unsigned long account_of(struct text to)
{
	const char *at = memchr(to.at, '@', (size_t)to.len);
	unsigned long number = 0, digit = 1;

	while (at && at-- > to.at && *at >= '0' && *at <= '9' && digit < ACCOUNTS_MAX) {
		number += (unsigned long)(*at - '0') * digit;
		digit *= 10;
	}
	return number % ACCOUNTS_MAX;
}

static void report(void)
{
	double seconds = (double)(clock_ns() - first_at) / 1e9;

	printf("{\"registrations\":%lu,\"seconds\":%.6f,\"rate\":%.1f,\"messages\":%lu,\"refused\":%lu,\"cpu_s\":%.3f}\n", accounts,
	       seconds, (double)accounts / seconds, messages, refused, (double)cpu_ns() / 1e9);
	fflush(stdout);
}

static void count(const struct request *r)
{
	unsigned long account = account_of(r->to);

	if (registered[account / 8] & 1u << account % 8)
		return;
	registered[account / 8] |= (uint8_t)(1u << account % 8);
	accounts++;
}

static int write_answer(char *answer, const struct request *r, const struct sockaddr_in *peer)
{
	const char *status = "401 Unauthorized";
	const char *rport = memmem(r->via.at, (size_t)r->via.len, ";rport", 6);
	int upto = rport ? (int)(rport + 6 - r->via.at) : r->via.len;
	char extra[200 + 600] = "WWW-Authenticate: Digest realm=\"" REALM "\", nonce=\"" NONCE "\", algorithm=MD5, qop=\"auth\"\r\n";
	char address[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &peer->sin_addr, address, sizeof address);
	if (r->authorization.at && !authorized(r)) {
		status = "403 Forbidden";
		extra[0] = '\0';
		refused++;
	} else if (r->authorization.at) {
		bool ends = r->expires.at && r->expires.len == 1 && r->expires.at[0] == '0';
		status = "200 OK";
		extra[0] = '\0';
		if (!ends && r->contact.at)
			snprintf(extra, sizeof extra, "Contact: %.*s\r\n", r->contact.len < 600 ? r->contact.len : 600, r->contact.at);
		count(r);
	}
	return snprintf(answer, MESSAGE_MAX, "SIP/2.0 %s\r\nVia: %.*s=%u;received=%s%.*s\r\nFrom: %.*s\r\nTo: %.*s;tag=b\r\nCall-ID: %.*s\r\n"
	                "CSeq: %.*s\r\n%sContent-Length: 0\r\n\r\n", status, upto, r->via.at, ntohs(peer->sin_port), address,
	                r->via.len - upto, r->via.at + upto, r->from.len, r->from.at, r->to.len, r->to.at, r->call_id.len, r->call_id.at,
	                r->cseq.len, r->cseq.at, extra);
}

static void serve(int fd)
{
	struct request r;
	unsigned long before = accounts;
	unsigned answers = 0;
	int n = recvmmsg(fd, in_heads, BATCH, MSG_WAITFORONE, NULL);

	for (int i = 0; i < n; i++) {
		in[i][in_heads[i].msg_len] = '\0';
		messages++;
		first_at = first_at ? first_at : clock_ns();
		if (!read_request(&r, in[i]))
			continue;
		int len = write_answer(out[answers], &r, &peers[i]);
		if (len <= 0 || len >= MESSAGE_MAX)
			continue;
		out_parts[answers] = (struct iovec){ out[answers], (size_t)len };
		out_heads[answers].msg_hdr = (struct msghdr){ .msg_name = &peers[i], .msg_namelen = sizeof peers[i],
		                                              .msg_iov = &out_parts[answers], .msg_iovlen = 1 };
		answers++;
	}
	for (unsigned sent = 0; sent < answers;) {
		int more = sendmmsg(fd, out_heads + sent, answers - sent, 0);
		if (more < 0 && errno != EINTR)
			break;		/* lost, as on any network: the client sends again */
		sent += more > 0 ? (unsigned)more : 0;
	}
	if (before < wanted && accounts >= wanted)
		report();
	for (int i = 0; i < BATCH; i++)
		in_heads[i].msg_hdr.msg_namelen = sizeof peers[i];
}

static int open_socket(uint16_t port)
{
	struct sockaddr_in own = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof own;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), room = 4 << 20;

	if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof own) != 0 || getsockname(fd, (struct sockaddr *)&own, &len) != 0) {
		fprintf(stderr, "registrar: %s\n", strerror(errno));
		exit(1);
	}
	/* Beyond net.core.rmem_max only root may go. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) != 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
	printf("registrar ready 127.0.0.1:%u\n", ntohs(own.sin_port));
	fflush(stdout);
	return fd;
}

int main(int argc, char **argv)
{
	static const struct option words[] = { { "count", 1, NULL, 'n' }, { "port", 1, NULL, 'l' }, { "password", 1, NULL, 'p' },
		{ NULL, 0, NULL, 0 } };
	const struct sigaction action = { .sa_handler = stop };
	uint16_t port = 0;
	int word, fd;

	while ((word = getopt_long(argc, argv, "", words, NULL)) != -1) {
		if (word == 'n')
			wanted = strtoul(optarg, NULL, 10);
		else if (word == 'l')
			port = (uint16_t)strtoul(optarg, NULL, 10);
		else if (word == 'p')
			password = optarg;
	}
	if (wanted == 0 || wanted > ACCOUNTS_MAX || !(registered = calloc(ACCOUNTS_MAX / 8 + 1, 1))) {
		fputs("usage: registrar --count N [--port P] [--password TEXT]\n", stderr);
		return 2;
	}
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	for (int i = 0; i < BATCH; i++) {
		in_parts[i] = (struct iovec){ in[i], MESSAGE_MAX };
		in_heads[i].msg_hdr = (struct msghdr){ .msg_name = &peers[i], .msg_namelen = sizeof peers[i], .msg_iov = &in_parts[i],
		                                       .msg_iovlen = 1 };
	}
	fd = open_socket(port);
	while (!stopping)
		serve(fd);
	return 0;
}

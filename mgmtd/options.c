#include "mgmtd/options.h"

#include "mgmtd/log.h"
#include "shm/cdr.h"

#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_LISTEN "127.0.0.1:8080"
#define KEEP_DAYS_MAX 10000

enum { OPT_STATE = 1, OPT_RUN, OPT_LISTEN, OPT_PASSWORD, OPT_CDR_SPOOL, OPT_CDR_KEEP, OPT_USER, OPT_LEVEL, OPT_IF_MATCH, OPT_INSECURE, OPT_TLS_CERT, OPT_TLS_KEY, OPT_VERIFY_AUDIT, OPT_AUDIT_HEAD,
       OPT_ACCESS_LOG, OPT_METRICS_OPEN, OPT_EXPORT, OPT_IMPORT, OPT_PASSPHRASE, OPT_WWW, OPT_HELP, OPT_VERSION };

static const struct option table[] = {
	{ "state",               required_argument, NULL, OPT_STATE },
	{ "run",                 required_argument, NULL, OPT_RUN },
	{ "listen",              required_argument, NULL, OPT_LISTEN },
	{ "admin-password-file", required_argument, NULL, OPT_PASSWORD },
	{ "cdr-spool",           required_argument, NULL, OPT_CDR_SPOOL },
	{ "cdr-keep-days",       required_argument, NULL, OPT_CDR_KEEP },
	{ "user",                required_argument, NULL, OPT_USER },
	{ "log-level",           required_argument, NULL, OPT_LEVEL },
	{ "require-if-match",    no_argument,       NULL, OPT_IF_MATCH },
	{ "insecure-http",       no_argument,       NULL, OPT_INSECURE },
	{ "tls-cert",            required_argument, NULL, OPT_TLS_CERT },
	{ "tls-key",             required_argument, NULL, OPT_TLS_KEY },
	{ "verify-audit",        required_argument, NULL, OPT_VERIFY_AUDIT },
	{ "audit-head",          required_argument, NULL, OPT_AUDIT_HEAD },
	{ "access-log",          required_argument, NULL, OPT_ACCESS_LOG },
	{ "metrics-open-on-loopback", no_argument,  NULL, OPT_METRICS_OPEN },
	{ "export",              required_argument, NULL, OPT_EXPORT },
	{ "import",              required_argument, NULL, OPT_IMPORT },
	{ "passphrase-file",     required_argument, NULL, OPT_PASSPHRASE },
	{ "www",                 required_argument, NULL, OPT_WWW },
	{ "help",                no_argument,       NULL, OPT_HELP },
	{ "version",             no_argument,       NULL, OPT_VERSION },
	{ 0 },
};

static const char help[] =
	"mgmtd: keeps the configuration of a Tandem switch and serves its HTTP API\n"
	"\n"
	"  --state DIR                 database and keys (mode 0700); must be given\n"
	"  --run DIR                   shared memory, the same as switchcore's; default /run/tandem, or\n"
	"                              /dev/shm/tandem-UID where that cannot be had\n"
	"  --listen ADDR:PORT          where to serve HTTP; default " DEFAULT_LISTEN "; IPv6 in brackets; port 0 = any free\n"
	"  --tls-cert FILE, --tls-key FILE\n"
	"                              serve HTTPS (TLS 1.2 and 1.3) with this certificate, and its chain, and key (PEM);\n"
	"                              SIGHUP reads them again, for connections that come then\n"
	"  --www DIR                   the web panel, served at /: the files of DIR (html css js txt svg png ico json webmanifest\n"
	"                              woff2), which everybody may read; SIGHUP reads them again.  Default `www` beside this\n"
	"                              program if there is one; --www= serves none\n"
	"  --insecure-http             allow an address beyond loopback without TLS\n"
	"  --admin-password-file FILE  first start: password of the user admin (first line, at least 12 characters)\n"
	"                              instead of a random one in DIR/initial-admin-password\n"
	"  --require-if-match          refuse changes that do not say with If-Match what they are meant for\n"
	"  --cdr-spool DIR             where switchcore leaves its call records, the same as its own; default " CDR_SUBDIR " in the run\n"
	"                              directory.  In memory they outlast restarts of both daemons, but a power failure\n"
	"                              takes those that mgmtd, while it was away, has not taken into DIR/cdr.db\n"
	"  --cdr-keep-days N           delete call records from the database N days after the call's end (1 to 10000);\n"
	"                              default 0 = never\n"
	"  --access-log FILE           one JSON line for each request into FILE, or with - to stderr; default none, since panels\n"
	"                              and scrapers ask every few seconds.  FILE may be a FIFO that somebody reads; what cannot be\n"
	"                              written in time is dropped and counted, and no request waits for it\n"
	"  --metrics-open-on-loopback  /metrics needs no token from 127.0.0.0/8 and ::1; not behind a proxy on this machine\n"
	"  --user NAME                 become this user once the address is bound\n"
	"  --export FILE               write the configuration in DIR to FILE (- = stdout) and end; no mgmtd may run there\n"
	"  --import FILE               replace the configuration in DIR by that of FILE (- = stdin), as one revision, and end\n"
	"  --passphrase-file FILE      --export: put the secrets in, sealed with the passphrase in the first line (12 to 1024\n"
	"                              bytes); without it they stay out.  --import: the passphrase they were sealed with\n"
	"  --log-level LEVEL           error, warning, info (default) or debug\n"
	"  --verify-audit FILE         instead of serving: verify the history in a database file (tandem.db), which is only read,\n"
	"                              whether mgmtd runs on it or not; one line says what was found, exit code 0 valid, 1 not\n"
	"  --audit-head REVISION:HASH  with it: compare with a head that was kept elsewhere (GET /api/v1/audit/head); finds also a\n"
	"                              history that was cut short or written anew\n"
	"  --help, --version\n"
	"\n"
	"Exit code: 0 clean stop, 2 wrong usage, 1 anything else, with one line why.\n";

static int refuse(int *exit_code, const char *what, const char *value)
{
	fprintf(stderr, "mgmtd: %s%s%s; see --help\n", what, value ? ": " : "", value ? value : "");
	*exit_code = 2;
	return EINVAL;
}

/* "ADDR:PORT", "[ADDR]:PORT" → its two parts. */
static int split_address(char host[256], const char **port, const char *text)
{
	const char *colon = strrchr(text, ':');
	if (!colon || colon == text)
		return EINVAL;
	const char *begin = text, *end = colon;
	if (*begin == '[') {
		if (end[-1] != ']')
			return EINVAL;
		begin++;
		end--;
	} else if (memchr(begin, ':', (size_t)(end - begin))) {
		return EINVAL;	/* IPv6 without brackets */
	}
	if (end <= begin || (size_t)(end - begin) >= 256)
		return EINVAL;
	memcpy(host, begin, (size_t)(end - begin));
	host[end - begin] = '\0';
	*port = colon + 1;
	return 0;
}

static int take_listen(struct options *options, const char *text, int *exit_code)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *found = NULL;
	char host[256], *end;
	const char *port;
	if (split_address(host, &port, text) != 0)
		return refuse(exit_code, "--listen must be ADDR:PORT, with an IPv6 address in brackets; got", text);
	unsigned long number = strtoul(port, &end, 10);
	if (port[0] < '0' || port[0] > '9' || *end || number > 65535)
		return refuse(exit_code, "--listen: the port must be 0 to 65535; got", port);
	if (getaddrinfo(host, port, &hints, &found) != 0)
		return refuse(exit_code, "--listen: no address", host);
	memcpy(&options->listen, found->ai_addr, found->ai_addrlen);
	options->listen_len = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

static bool is_loopback(const struct sockaddr_storage *address)
{
	if (address->ss_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
	return address->ss_family == AF_INET && ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
}

struct words { const char *run, *listen, *cdr_spool, *cdr_keep_days; bool insecure; };

static int take_cdr(struct options *options, const struct words *words, int *exit_code)
{
	size_t size = sizeof options->cdr_spool;
	const char *days = words->cdr_keep_days;
	char *end;
	int len = words->cdr_spool ? snprintf(options->cdr_spool, size, "%s", words->cdr_spool)
	                           : snprintf(options->cdr_spool, size, "%s/" CDR_SUBDIR, options->run);
	if (len < 0 || (size_t)len >= size)
		return refuse(exit_code, "--cdr-spool: the path is too long", NULL);
	unsigned long number = days ? strtoul(days, &end, 10) : 0;
	if (days && (days[0] < '0' || days[0] > '9' || *end || number > KEEP_DAYS_MAX))
		return refuse(exit_code, "--cdr-keep-days must be 0 to 10000; got", days);
	options->cdr_keep_days = (unsigned)number;
	return 0;
}

static int refuse_open(int *exit_code, const char *listen)
{
	fprintf(stderr, "mgmtd: --listen %s: passwords and tokens would cross the network unprotected; give --tls-cert and --tls-key, or "
	                "--insecure-http to serve HTTP beyond loopback all the same\n", listen);
	*exit_code = 1;
	return EPERM;
}

static int complete(struct options *options, const struct words *words, int *exit_code)
{
	const char *run = words->run;
	struct shm_why why = { "" };
	if (options->verify_audit)
		return 0;
	if (options->audit_head)
		return refuse(exit_code, "--audit-head needs --verify-audit FILE", NULL);
	if (!options->state)
		return refuse(exit_code, "--state DIR must be given", NULL);
	if (options->export_file && options->import_file)
		return refuse(exit_code, "--export and --import exclude each other", NULL);
	if (options->passphrase_file && !options->export_file && !options->import_file)
		return refuse(exit_code, "--passphrase-file is for --export and --import", NULL);
	int e = take_listen(options, words->listen, exit_code);
	if (e)
		return e;
	if (!options->tls_certificate != !options->tls_key)
		return refuse(exit_code, "--tls-cert and --tls-key are given together or not at all", NULL);
	if (!is_loopback(&options->listen) && !options->tls_certificate && !words->insecure)
		return refuse_open(exit_code, words->listen);
	if (!run)
		e = shm_default_dir(options->run, sizeof options->run, &why);
	else if ((size_t)snprintf(options->run, sizeof options->run, "%s", run) >= sizeof options->run)
		return refuse(exit_code, "--run: the path is too long", NULL);
	if (e) {
		fprintf(stderr, "mgmtd: %s\n", why.text);
		*exit_code = 1;
	}
	return e ? e : take_cdr(options, words, exit_code);
}

static int take_text(const char **to)
{
	*to = optarg;
	return 0;
}

/* One option; 0, or the process ends with *exit_code. */
static int take_option(struct options *options, struct words *words, int option, int *exit_code)
{
	switch (option) {
	case OPT_STATE:
		options->state = optarg;
		return 0;
	case OPT_RUN:
		words->run = optarg;
		return 0;
	case OPT_LISTEN:
		words->listen = optarg;
		return 0;
	case OPT_PASSWORD:
		return take_text(&options->admin_password_file);
	case OPT_CDR_SPOOL:
		words->cdr_spool = optarg;
		return 0;
	case OPT_CDR_KEEP:
		words->cdr_keep_days = optarg;
		return 0;
	case OPT_USER:
		options->user = optarg;
		return 0;
	case OPT_VERIFY_AUDIT:
		options->verify_audit = optarg;
		return 0;
	case OPT_AUDIT_HEAD:
		options->audit_head = optarg;
		return 0;
	case OPT_IF_MATCH:
		options->require_if_match = true;
		return 0;
	case OPT_TLS_CERT:
		return take_text(&options->tls_certificate);
	case OPT_TLS_KEY:
		return take_text(&options->tls_key);
	case OPT_ACCESS_LOG:
		options->access_log = optarg;
		return 0;
	case OPT_METRICS_OPEN:
		options->metrics_open_on_loopback = true;
		return 0;
	case OPT_EXPORT:
		options->export_file = optarg;
		return 0;
	case OPT_IMPORT:
		options->import_file = optarg;
		return 0;
	case OPT_PASSPHRASE:
		options->passphrase_file = optarg;
		return 0;
	case OPT_WWW:
		return take_text(&options->www);
	case OPT_INSECURE:
		words->insecure = true;
		return 0;
	case OPT_LEVEL:
		return log_set_level(optarg) == 0
		               ? 0
		               : refuse(exit_code, "--log-level must be error, warning, info or debug; got", optarg);
	}
	*exit_code = 0;
	fputs(option == OPT_HELP ? help : "mgmtd " TANDEM_VERSION "\n", stdout);
	return ECANCELED;
}

int options_parse(struct options *options, int argc, char **argv, int *exit_code)
{
	struct words words = { .listen = DEFAULT_LISTEN };
	int option, e;
	*options = (struct options){ 0 };
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
		if (option == '?')
			return refuse(exit_code, "no such option, or its value is missing or not wanted", argv[optind - 1]);
		e = take_option(options, &words, option, exit_code);
		if (e)
			return e;
	}
	if (optind < argc)
		return refuse(exit_code, "not an option", argv[optind]);
	return complete(options, &words, exit_code);
}

#include "options.h"

#include "log.h"

#include "shm/cdr.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	OPT_RUN = 256, OPT_SIP, OPT_RATE, OPT_RATE_PER_SERVER, OPT_IN_FLIGHT, OPT_IN_FLIGHT_PER_SERVER, OPT_STOP_TIMEOUT,
	OPT_TLS_CA, OPT_TLS_CERT, OPT_TLS_KEY, OPT_DNS_SERVER, OPT_HOSTS_FILE, OPT_CDR_SPOOL, OPT_CDR_SPOOL_BYTES, OPT_TRACE_BYTES, OPT_LOG_LEVEL,
	OPT_USER, OPT_HELP, OPT_VERSION
};

static const struct option long_options[] = {
	{ "run", required_argument, NULL, OPT_RUN },
	{ "sip", required_argument, NULL, OPT_SIP },
	{ "register-rate", required_argument, NULL, OPT_RATE },
	{ "register-rate-per-server", required_argument, NULL, OPT_RATE_PER_SERVER },
	{ "max-inflight", required_argument, NULL, OPT_IN_FLIGHT },
	{ "max-inflight-per-server", required_argument, NULL, OPT_IN_FLIGHT_PER_SERVER },
	{ "stop-timeout", required_argument, NULL, OPT_STOP_TIMEOUT },
	{ "tls-ca", required_argument, NULL, OPT_TLS_CA },
	{ "tls-cert", required_argument, NULL, OPT_TLS_CERT },
	{ "tls-key", required_argument, NULL, OPT_TLS_KEY },
	{ "dns-server", required_argument, NULL, OPT_DNS_SERVER },
	{ "hosts-file", required_argument, NULL, OPT_HOSTS_FILE },
	{ "cdr-spool", required_argument, NULL, OPT_CDR_SPOOL },
	{ "cdr-spool-bytes", required_argument, NULL, OPT_CDR_SPOOL_BYTES },
	{ "trace-bytes", required_argument, NULL, OPT_TRACE_BYTES },
	{ "log-level", required_argument, NULL, OPT_LOG_LEVEL },
	{ "user", required_argument, NULL, OPT_USER },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

static const char help[] =
	"usage: switchcore [OPTION]...\n"
	"The SIP process of Tandem: keeps the configured registrations alive.\n"
	"\n"
	"  --run DIR                       directory shared with mgmtd (default /run/tandem, else /dev/shm/tandem-UID)\n"
	"  --sip [NAME=][udp:|tcp:|tls:]ADDR:PORT[,advertise=HOST[:PORT]]\n"
	"                                  where SIP is spoken; repeatable; IPv6 in brackets; port 0 = any free one\n"
	"                                  (default udp:0.0.0.0:5060 and tcp:0.0.0.0:5060)\n"
	"  --register-rate N               first REGISTERs, bulk changes and retries a second (default 100, 0 = no limit)\n"
	"  --register-rate-per-server N    the same to one server (default 20, 0 = no limit)\n"
	"  --max-inflight N                unanswered REGISTERs (default 1000)\n"
	"  --max-inflight-per-server N     the same to one server (default 50)\n"
	"  --stop-timeout SECONDS          time for removing the bindings when stopped (default 4)\n"
	"  --tls-ca FILE                   trusted authorities, PEM (default: the system's)\n"
	"  --tls-cert FILE, --tls-key FILE certificate and key of the TLS listeners, PEM\n"
	"  --dns-server ADDR[:PORT]        ask this name server (default: those of /etc/resolv.conf)\n"
	"  --hosts-file FILE               names known without DNS (default /etc/hosts)\n"
	"  --cdr-spool DIR                 where call records wait for mgmtd, which must be told the same (default cdr in the\n"
	"                                  run directory: in memory, so it outlasts restarts of both daemons, but what mgmtd\n"
	"                                  has not taken yet is lost with the power; about 500 bytes a call)\n"
	"  --cdr-spool-bytes N             most that may wait there (16777216 or more; default 0 = all there is room for); what does\n"
	"                                  not fit any more is lost, counted and told, and the oldest are kept\n"
	"  --trace-bytes N                 size of the SIP trace (default 16777216; 0 = none)\n"
	"  --log-level LEVEL               error, warning, info or debug (default info)\n"
	"  --user NAME                     bind, then run as this user\n"
	"  --help, --version\n";

__attribute__((format(printf, 1, 2)))
static int wrong(const char *format, ...)
{
	va_list arguments;

	fputs("switchcore: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputs("; see switchcore --help\n", stderr);
	return EINVAL;
}

static int number(uint64_t *value, const char *name, const char *text, uint64_t least, uint64_t most)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno || n < least || n > most)
		return wrong("--%s must be %llu to %llu; got %.40s", name, (unsigned long long)least, (unsigned long long)most, text);
	*value = n;
	return 0;
}

static int number32(uint32_t *value, const char *name, const char *text, uint32_t least, uint32_t most)
{
	uint64_t wide;
	int error = number(&wide, name, text, least, most);

	if (!error)
		*value = (uint32_t)wide;
	return error;
}

static int add_listener(struct options *options, const char *text)
{
	struct listener *listener = &options->listeners[options->listener_count];
	const char *why;

	if (options->listener_count == OPTIONS_LISTENERS_MAX)
		return wrong("--sip: at most %d listeners", OPTIONS_LISTENERS_MAX);
	why = listener_parse(listener, text);
	if (why)
		return wrong("--sip %.300s: %s", text, why);
	for (size_t i = 0; i < options->listener_count && listener->name[0]; i++)
		if (strcmp(options->listeners[i].name, listener->name) == 0)
			return wrong("--sip %.300s: another listener is named %s", text, listener->name);
	options->listener_count++;
	return 0;
}

static int set_dns_server(struct options *options, const char *text)
{
	struct listener parsed;
	char with_port[300];

	/* The same syntax as a listener's address. */
	snprintf(with_port, sizeof with_port, "%s:53", text);
	if (listener_parse(&parsed, text) && listener_parse(&parsed, with_port))
		return wrong("--dns-server must be ADDRESS or ADDRESS:PORT; got %.100s", text);
	options->dns_server = text;
	return 0;
}

static int set_option(struct options *o, int option, const char *value)
{
	switch (option) {
	case OPT_RUN:		o->run = value; return 0;
	case OPT_SIP:		return add_listener(o, value);
	case OPT_RATE:		return number32(&o->limits.rate, "register-rate", value, 0, 1000000);
	case OPT_RATE_PER_SERVER: return number32(&o->limits.rate_per_server, "register-rate-per-server", value, 0, 1000000);
	case OPT_IN_FLIGHT:	return number32(&o->limits.in_flight, "max-inflight", value, 1, 100000);
	case OPT_IN_FLIGHT_PER_SERVER: return number32(&o->limits.in_flight_per_server, "max-inflight-per-server", value, 1, 100000);
	case OPT_STOP_TIMEOUT:	return number32(&o->stop_timeout_s, "stop-timeout", value, 0, 600);
	case OPT_TLS_CA:	o->tls_ca = value; return 0;
	case OPT_TLS_CERT:	o->tls_certificate = value; return 0;
	case OPT_TLS_KEY:	o->tls_key = value; return 0;
	case OPT_DNS_SERVER:	return set_dns_server(o, value);
	case OPT_HOSTS_FILE:	o->hosts_file = value; return 0;
	case OPT_CDR_SPOOL:	o->cdr_spool = value; return 0;
	case OPT_CDR_SPOOL_BYTES:
		return strcmp(value, "0") == 0 ? 0 : number(&o->cdr_spool_bytes, "cdr-spool-bytes", value, CDR_SPOOL_LEAST, UINT64_C(1) << 50);
	case OPT_TRACE_BYTES:
		o->no_trace = strcmp(value, "0") == 0;
		return o->no_trace ? 0 : number(&o->trace_bytes, "trace-bytes", value, 65536, UINT64_C(1) << 32);
	case OPT_USER:		o->user = value; return 0;
	case OPT_LOG_LEVEL:
		o->log_level = log_level_by_word(value);
		return o->log_level < 0 ? wrong("--log-level must be error, warning, info or debug; got %.40s", value) : 0;
	case OPT_HELP:
		fputs(help, stdout);
		return ECANCELED;
	case OPT_VERSION:
		puts("switchcore " TANDEM_VERSION);
		return ECANCELED;
	default:
		return EINVAL;
	}
}

int options_parse(struct options *options, int argc, char **argv)
{
	int option, error = 0;

	memset(options, 0, sizeof *options);
	options->limits = (struct pacing_limits){ 100, 20, 1000, 50 };
	options->stop_timeout_s = 4;
	options->log_level = LOG_LEVEL_INFO;
	opterr = 0;
	while (!error && (option = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
		if (option == '?')
			error = wrong("unknown option %.100s", argv[optind - 1]);
		else if (option == ':')
			error = wrong("%.100s needs a value", argv[optind - 1]);
		else
			error = set_option(options, option, optarg);
	}
	if (!error && optind < argc)
		error = wrong("unexpected argument %.100s", argv[optind]);
	if (!error && options->tls_key && !options->tls_certificate)
		error = wrong("--tls-key without --tls-cert");
	if (!error && options->listener_count == 0) {
		error = add_listener(options, "udp:0.0.0.0:5060");
		if (!error)
			error = add_listener(options, "tcp:0.0.0.0:5060");
	}
	return error;
}

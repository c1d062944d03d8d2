/* The command line. */
#ifndef SWITCHCORE_OPTIONS_H
#define SWITCHCORE_OPTIONS_H

#include "listener.h"
#include "pacing.h"

#define OPTIONS_LISTENERS_MAX 64

struct options {
	const char *run;			/* NULL = shm_default_dir() */
	struct listener listeners[OPTIONS_LISTENERS_MAX];
	size_t listener_count;
	struct pacing_limits limits;
	uint32_t stop_timeout_s;
	uint64_t trace_bytes;			/* 0 = the segment's default */
	bool no_trace;
	const char *tls_ca, *tls_certificate, *tls_key;
	const char *dns_server, *hosts_file;
	const char *cdr_spool;			/* NULL = CDR_SUBDIR of the run directory */
	uint64_t cdr_spool_bytes;	/* 0 = no limit */
	const char *user;
	int log_level;				/* enum log_level */
};

/* 0; EINVAL a wrong command line, said on stderr; ECANCELED --help or --version, answered on stdout. */
int options_parse(struct options *options, int argc, char **argv);

#endif

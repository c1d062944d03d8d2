/* The command line. */
#ifndef MGMTD_OPTIONS_H
#define MGMTD_OPTIONS_H

#include <limits.h>
#include <netdb.h>
#include <stdbool.h>

struct options {
	const char *state;
	char run[PATH_MAX];
	const char *admin_password_file;	/* or NULL */
	char cdr_spool[PATH_MAX];		/* the directory of call records that wait */
	unsigned cdr_keep_days;			/* 0 = for ever */
	const char *user;			/* to become after binding, or NULL */
	bool require_if_match;
	const char *tls_certificate, *tls_key;	/* files, or both NULL: plain HTTP */
	const char *verify_audit, *audit_head;	/* a database file to verify instead of serving, and a head of it; or NULL */
	const char *access_log;			/* a file, "-" = stderr, NULL = none */
	bool metrics_open_on_loopback;
	const char *www;			/* the panel's folder; NULL = the default, "" = none */
	/* instead of serving: the whole configuration into a file, or out of it ("-" = stdout, stdin); at most one of them */
	const char *export_file, *import_file;
	const char *passphrase_file;		/* of the secrets in that file, or NULL */
	struct sockaddr_storage listen;
	socklen_t listen_len;
};

/* Prints what is wrong, the help or the version.  0 = go on; else the process ends with *exit_code. */
int options_parse(struct options *options, int argc, char **argv, int *exit_code);

#endif

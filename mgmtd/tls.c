#include "mgmtd/tls.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHAIN_MAX 16u

struct pair {
	gnutls_x509_crt_t chain[CHAIN_MAX];
	unsigned count;
	gnutls_x509_privkey_t key;
};

struct tls {
	const char *certificate_file, *key_file;	/* lent */
	pthread_mutex_t lock;				/* guards pair */
	struct pair pair;
};

/* The library's callback has no argument of its own. */
static struct tls *current;

static void pair_free(struct pair *pair)
{
	for (unsigned i = 0; i < pair->count; i++)
		gnutls_x509_crt_deinit(pair->chain[i]);
	if (pair->key)
		gnutls_x509_privkey_deinit(pair->key);
	*pair = (struct pair){ 0 };
}

static int fail(struct shm_why *why, const char *path, const char *text)
{
	snprintf(why->text, sizeof why->text, "%.300s: %.200s", path, text);
	return EINVAL;
}

static int load_chain(struct pair *pair, const char *path, struct shm_why *why)
{
	gnutls_datum_t pem;
	int code = gnutls_load_file(path, &pem);
	if (code < 0)
		return fail(why, path, strerror(errno));
	unsigned count = CHAIN_MAX;
	code = gnutls_x509_crt_list_import(pair->chain, &count, &pem, GNUTLS_X509_FMT_PEM, GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED);
	gnutls_free(pem.data);
	if (code < 0)
		return fail(why, path, gnutls_strerror(code));
	pair->count = (unsigned)code;
	return code > 0 ? 0 : fail(why, path, "there is no certificate in it");
}

static int load_key(struct pair *pair, const char *path, struct shm_why *why)
{
	gnutls_datum_t pem;
	if (gnutls_load_file(path, &pem) < 0)
		return fail(why, path, strerror(errno));
	int code = gnutls_x509_privkey_init(&pair->key);
	if (code == 0)
		code = gnutls_x509_privkey_import2(pair->key, &pem, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN);
	gnutls_memset(pem.data, 0, pem.size);
	gnutls_free(pem.data);
	return code == 0 ? 0 : fail(why, path, gnutls_strerror(code));
}

static int check_pair(const struct pair *pair, const struct tls *tls, struct shm_why *why)
{
	unsigned char of_certificate[64], of_key[64];
	size_t certificate_len = sizeof of_certificate, key_len = sizeof of_key;
	if (gnutls_x509_crt_get_key_id(pair->chain[0], GNUTLS_KEYID_USE_SHA256, of_certificate, &certificate_len) == 0 &&
	    gnutls_x509_privkey_get_key_id(pair->key, GNUTLS_KEYID_USE_SHA256, of_key, &key_len) == 0 && certificate_len == key_len &&
	    memcmp(of_certificate, of_key, key_len) == 0)
		return 0;
	snprintf(why->text, sizeof why->text, "%.200s: is not the key of the certificate in %.200s", tls->key_file, tls->certificate_file);
	return EINVAL;
}

int tls_reload(struct tls *tls, struct shm_why *why)
{
	struct pair new = { 0 }, old;
	int e = load_chain(&new, tls->certificate_file, why);
	if (!e)
		e = load_key(&new, tls->key_file, why);
	if (!e)
		e = check_pair(&new, tls, why);
	if (e) {
		pair_free(&new);
		return e;
	}
	pthread_mutex_lock(&tls->lock);
	old = tls->pair;
	tls->pair = new;
	pthread_mutex_unlock(&tls->lock);
	pair_free(&old);
	return 0;
}

void tls_close(struct tls *tls)
{
	if (!tls)
		return;
	current = NULL;
	pair_free(&tls->pair);
	pthread_mutex_destroy(&tls->lock);
	free(tls);
}

int tls_open(struct tls **out, const char *certificate, const char *key, struct shm_why *why)
{
	struct tls *tls = calloc(1, sizeof *tls);
	if (!tls)
		return ENOMEM;
	tls->certificate_file = certificate;
	tls->key_file = key;
	pthread_mutex_init(&tls->lock, NULL);
	int e = tls_reload(tls, why);
	if (e) {
		tls_close(tls);
		return e;
	}
	*out = current = tls;
	return 0;
}

/* ------------------------------------------------------------------ a handshake */

static int copy_chain(const struct pair *pair, gnutls_pcert_st **copy)
{
	/* The library frees it with gnutls_free(). */
	gnutls_pcert_st *new = gnutls_calloc(pair->count, sizeof *new);
	int code = new ? 0 : GNUTLS_E_MEMORY_ERROR;
	unsigned i = 0;
	while (code == 0 && i < pair->count && (code = gnutls_pcert_import_x509(&new[i], pair->chain[i], 0)) == 0)
		i++;
	if (code) {
		while (i > 0)
			gnutls_pcert_deinit(&new[--i]);
		gnutls_free(new);
		return code;
	}
	*copy = new;
	return 0;
}

static int copy_key(const struct pair *pair, gnutls_privkey_t *copy)
{
	int code = gnutls_privkey_init(copy);
	if (code == 0 && (code = gnutls_privkey_import_x509(*copy, pair->key, GNUTLS_PRIVKEY_IMPORT_COPY)) != 0)
		gnutls_privkey_deinit(*copy);
	return code;
}

int tls_retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info, gnutls_pcert_st **certs, unsigned *count,
                 gnutls_ocsp_data_st **ocsp, unsigned *ocsp_count, gnutls_privkey_t *key, unsigned *flags)
{
	(void)session;
	(void)info;
	pthread_mutex_lock(&current->lock);
	int code = copy_chain(&current->pair, certs);
	if (code == 0 && (code = copy_key(&current->pair, key)) != 0) {
		for (unsigned i = 0; i < current->pair.count; i++)
			gnutls_pcert_deinit(&(*certs)[i]);
		gnutls_free(*certs);
	}
	*count = current->pair.count;
	pthread_mutex_unlock(&current->lock);
	*ocsp = NULL;
	*ocsp_count = 0;
	*flags = GNUTLS_CERT_RETR_DEINIT_ALL;
	return code == 0 ? 0 : -1;
}

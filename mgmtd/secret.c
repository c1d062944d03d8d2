#include "mgmtd/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct secrets {
	unsigned char box_key[crypto_secretbox_KEYBYTES];
	unsigned char reference_key[crypto_generichash_KEYBYTES];
	unsigned char line_key[crypto_generichash_KEYBYTES];
};

_Static_assert(SECRET_BOX_MAX == crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + SECRET_PLAIN_MAX, "box");

static int refuse(struct shm_why *why, int error, const char *path, const char *what)
{
	snprintf(why->text, sizeof why->text, "%s: %s", path, what ? what : strerror(error));
	return error;
}

/* Durable before it is used: a key lost in a power cut would take every stored secret with it. */
static int make_key(const char *state, const char *path, unsigned char *key, size_t size, struct shm_why *why)
{
	int error = 0;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int dir = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	randombytes_buf(key, size);
	if (fd < 0 || dir < 0 || write(fd, key, size) != (ssize_t)size || fsync(fd) != 0 || fsync(dir) != 0)
		error = refuse(why, errno ? errno : EIO, path, NULL);
	if (fd >= 0)
		close(fd);
	if (dir >= 0)
		close(dir);
	return error;
}

static int read_key(const char *path, unsigned char *key, size_t size, struct shm_why *why)
{
	unsigned char bytes[128];
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return refuse(why, errno, path, NULL);
	ssize_t n = fstat(fd, &st) == 0 ? read(fd, bytes, sizeof bytes) : -1;
	close(fd);
	if (n < 0)
		return refuse(why, errno, path, NULL);
	if (st.st_uid != geteuid() || (st.st_mode & 077))
		return refuse(why, EPERM, path, "must belong to this user and have mode 0600");
	if ((size_t)n != size)
		return refuse(why, EINVAL, path, "is not a key of 32 bytes");
	memcpy(key, bytes, size);
	sodium_memzero(bytes, sizeof bytes);
	return 0;
}

int secrets_open(struct secrets **out, const char *state, bool create, struct shm_why *why)
{
	unsigned char master[crypto_kdf_KEYBYTES];
	char path[4096];

	if (sodium_init() < 0)
		return refuse(why, EIO, state, "libsodium cannot start");
	snprintf(path, sizeof path, "%s/secret.key", state);
	int error = read_key(path, master, sizeof master, why);
	if (error == ENOENT && create)
		error = make_key(state, path, master, sizeof master, why);
	else if (error == ENOENT)
		refuse(why, error, path, "is missing: the secrets in the database cannot be read without it; restore it from the backup");
	if (error)
		return error;
	struct secrets *s = sodium_malloc(sizeof *s);
	if (!s)
		return refuse(why, ENOMEM, path, NULL);
	crypto_kdf_derive_from_key(s->box_key, sizeof s->box_key, 1, "tandem  ", master);
	crypto_kdf_derive_from_key(s->reference_key, sizeof s->reference_key, 2, "tandem  ", master);
	crypto_kdf_derive_from_key(s->line_key, sizeof s->line_key, 3, "tandem  ", master);
	sodium_memzero(master, sizeof master);
	*out = s;
	return 0;
}

void secrets_close(struct secrets *s)
{
	if (s)
		sodium_free(s);
}

/* Each part goes in with its NUL, so that no two places spell the same input. */
static void keyed_hash(char *hex, size_t bytes, const unsigned char *key, const char *const *parts, size_t count)
{
	unsigned char hash[crypto_generichash_BYTES];
	crypto_generichash_state state;

	crypto_generichash_init(&state, key, crypto_generichash_KEYBYTES, bytes);
	for (size_t i = 0; i < count; i++)
		crypto_generichash_update(&state, (const unsigned char *)parts[i], strlen(parts[i]) + 1);
	crypto_generichash_final(&state, hash, bytes);
	sodium_bin2hex(hex, 2 * bytes + 1, hash, bytes);
}

void secret_reference(const struct secrets *s, char reference[SECRET_REFERENCE], const char *kind, const char *name,
                      const char *field, const char *plain)
{
	const char *const parts[] = { kind, name, field, plain };
	keyed_hash(reference, 32, s->reference_key, parts, 4);
}

void secret_line_token(const struct secrets *s, char token[SCHEMA_LINE_LEN + 1], const char *name)
{
	keyed_hash(token, SCHEMA_LINE_LEN / 2, s->line_key, &name, 1);
}

void secret_seal(const struct secrets *s, unsigned char box[SECRET_BOX_MAX], size_t *size, const char *plain)
{
	size_t len = strlen(plain);

	randombytes_buf(box, crypto_secretbox_NONCEBYTES);
	crypto_secretbox_easy(box + crypto_secretbox_NONCEBYTES, (const unsigned char *)plain, len, box, s->box_key);
	*size = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + len;
}

int secret_open(const struct secrets *s, char *plain, const unsigned char *box, size_t size)
{
	const size_t overhead = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES;

	if (size < overhead || size > SECRET_BOX_MAX)
		return EBADMSG;
	if (crypto_secretbox_open_easy((unsigned char *)plain, box + crypto_secretbox_NONCEBYTES,
	                               size - crypto_secretbox_NONCEBYTES, box, s->box_key) != 0)
		return EBADMSG;
	plain[size - overhead] = '\0';
	return 0;
}

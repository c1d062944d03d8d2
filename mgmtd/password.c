#include "mgmtd/password.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

_Static_assert(PASSWORD_HASH > crypto_pwhash_STRBYTES, "a hash must fit");

const char *password_fault(const char *password, size_t len)
{
	size_t characters = 0;
	if (memchr(password, '\0', len))
		return "must not hold a NUL";
	if (len > PASSWORD_MAX)
		return "must not exceed 1024 bytes";
	for (size_t i = 0; i < len; i++)
		characters += ((unsigned char)password[i] & 0xc0) != 0x80;
	return characters < PASSWORD_MIN ? "must have at least 12 characters" : NULL;
}

int password_hash(char hash[PASSWORD_HASH], const char *password)
{
	memset(hash, 0, PASSWORD_HASH);
	return crypto_pwhash_str(hash, password, strlen(password), crypto_pwhash_OPSLIMIT_INTERACTIVE,
	                         crypto_pwhash_MEMLIMIT_INTERACTIVE) == 0 ? 0 : ENOMEM;
}

bool password_matches(const char *hash, const char *password)
{
	if (hash)
		return crypto_pwhash_str_verify(hash, password, strlen(password)) == 0;
	char ignored[PASSWORD_HASH];
	password_hash(ignored, password);
	return false;
}

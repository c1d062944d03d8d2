/*
 * Which number of an INVITE is the caller's, the callee's and the one dialled, and how numbers are rewritten.  Pure:
 * no type of the SIP stack, no state.
 *
 * A number is whatever a user part holds: mostly digits, but letters, '@' and quotes come too.  Inside the switch it
 * is plain text: %-escapes undone, URI user parameters cut ("+15550100;npdi" is "+15550100").  It is escaped again
 * where it is written.
 */
#ifndef SWITCHCORE_NUMBERS_H
#define SWITCHCORE_NUMBERS_H

#include "schema/schema.h"

#include <stddef.h>

#define NUMBER_MAX 128				/* bytes without the NUL */
#define NUMBER_ESCAPED_MAX (3 * NUMBER_MAX)	/* of a number written as user part */
#define DISPLAY_MAX 128

/* The texts of one INVITE, lent; "" or NULL = absent.  Of a header that lists several, the first that has a user. */
struct numbers_in {
	/* users as number_from_user() gives them */
	const char *request_user, *to_user, *from_user;
	const char *diversion_user;			/* topmost (RFC 5806) */
	const char *remote_party_id_user;
	const char *p_asserted_identity_user, *p_preferred_identity_user;
	/* as display_from_header() gives it */
	const char *from_display;
	/* whole header values as received, several joined by ", ": for passing through */
	const char *p_asserted_identity, *p_preferred_identity, *privacy;
	/* The user of To or of the Request-URI is there, but is no number: the error of number_from_user().  Such a call must not
	 * go where another part of it points. */
	int unreadable;
};

/* The number in a user part as it stands in a URI, a tel URI's too.  NULL = no user, gives "".
 * Errors, with out = "": EMSGSIZE longer than the room; EINVAL no UTF-8, a control character or half an escape. */
int number_from_user(char *out, size_t size, const char *user);
/* The display name as it stands in a header, quoted or not, as plain text.  NULL gives "".  It is for people: one too
 * long is cut, at the end of a character. */
void display_from_header(char *out, size_t size, const char *display);
/* The same of a text that was no header: bytes that are no UTF-8 become '?', control characters spaces. */
void display_plain(char *out, size_t size, const char *text);
/* The other way: user = unreserved / escaped / user-unreserved (RFC 3261 25.1), where ';' and '?', which begin
 * something in a URI, and ',' are escaped too.  EMSGSIZE; NUMBER_ESCAPED_MAX + 1 is room for every number. */
int number_to_user(char *out, size_t size, const char *number);

/* callee_in.  Where the chosen place is empty: To, then the Request-URI.  "" = none has a number. */
const char *numbers_callee(int32_t source /* enum CALLEE_SOURCE_option */, const struct numbers_in *in);
/* The number as dialled: To's, callee_in if To has none. */
const char *numbers_original(const struct numbers_in *in, const char *callee_in);
/* caller_in.  Where the chosen header is missing: From.  A display name is taken only if it looks like a number:
 * digits, '*', '#', a '+' in front, and the separators "-.() ", which are left out: nobody can call "Alice" back, nor
 * bill her, and prefix rules match digits. EMSGSIZE; NUMBER_MAX + 1 is room for all but hand-made inputs. */
int numbers_caller(char *out, size_t size, int32_t source /* enum CALLER_SOURCE_option */, const struct numbers_in *in);

/* The rule with the longest match at the beginning of the number replaces it, once; no rule matches: the number as it
 * is. EMSGSIZE: out untouched; never cut.  out and number must not overlap. */
int numbers_rewrite(char *out, size_t size, const struct rewrites *rules, const char *number);

#endif

/* SPDX-License-Identifier: ISC
 *
 * The methods by which a client proves who it is, by name: one vocabulary for auth_type and
 * the lines of pg_hba.conf.
 */
#include "auth.h"

static const struct {
	const char *word;
	enum auth_method method;
} method_words[] = {
	/* the first word of a method is how we call it */
	{"trust", AUTH_TRUST},
	{"reject", AUTH_REJECT},
	{"plain", AUTH_PLAIN},
	{"password", AUTH_PLAIN},
	{"md5", AUTH_MD5},
	{"scram-sha-256", AUTH_SCRAM},
	{"cert", AUTH_CERT},
	{"peer", AUTH_PEER},
	{"pam", AUTH_PAM},
	{"ldap", AUTH_LDAP},
	{"any", AUTH_ANY},
	{"hba", AUTH_HBA},
};

const char *auth_method_word(enum auth_method m)
{
	for (size_t i = 0; i < ARRAY_LEN(method_words); i++)
		if (method_words[i].method == m)
			return method_words[i].word;
	return NULL;
}

bool auth_method_parse(const char *word, enum auth_method *out)
{
	for (size_t i = 0; i < ARRAY_LEN(method_words); i++)
		if (strcmp(method_words[i].word, word) == 0) {
			*out = method_words[i].method;
			return true;
		}
	return false;
}

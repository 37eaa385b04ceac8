/* SPDX-License-Identifier: ISC
 *
 * The md5 method: md5(md5(password user) salt), both in hexadecimal.
 */
#include "auth.h"

#include <openssl/evp.h>

/* "md5" and the digest of a then b in lower-case hexadecimal */
static bool md5_hex(const void *a, size_t a_len, const void *b, size_t b_len, char out[36])
{
	static const char hex[] = "0123456789abcdef";
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_md5(), NULL) &&
		  EVP_DigestUpdate(ctx, a, a_len) && EVP_DigestUpdate(ctx, b, b_len) &&
		  EVP_DigestFinal_ex(ctx, digest, &n) && n == 16;

	EVP_MD_CTX_free(ctx);
	if (!ok)
		return false; /* OpenSSL in FIPS mode has no md5 */
	memcpy(out, "md5", 3);
	for (int i = 0; i < 16; i++) {
		out[3 + 2 * i] = hex[digest[i] >> 4];
		out[4 + 2 * i] = hex[digest[i] & 15];
	}
	out[35] = '\0';
	mem_wipe(digest, sizeof digest);
	return true;
}

bool secret_md5(const char *password, const char *user, char out[36])
{
	return md5_hex(password, strlen(password), user, strlen(user), out);
}

bool md5_check(const struct auth_secret *s, const char *user, const uint8_t salt[4],
	const char *answer)
{
	char stored[36], want[36];
	bool ok;

	if (s->kind == SECRET_PLAIN) {
		if (!secret_md5(s->text, user, stored))
			return false;
	} else if (s->kind == SECRET_MD5) {
		memcpy(stored, s->text, 36);
		for (int i = 0; i < 35; i++)
			stored[i] = (char)(stored[i] | 0x20);
	} else {
		return false;
	}
	ok = md5_hex(stored + 3, 32, salt, 4, want) && strlen(answer) == 35 &&
	     mem_equal_ct(want, answer, 35);
	mem_wipe(stored, sizeof stored);
	mem_wipe(want, sizeof want);
	return ok;
}

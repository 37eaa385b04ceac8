/* SPDX-License-Identifier: ISC
 *
 * Stored secrets: their forms, and what is derived from them.
 */
#include "auth.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stringprep.h>

/* --- base64 --------------------------------------------------------------- */

static bool is_base64(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '+' || c == '/';
}

int secret_unbase64(const char *text, size_t len, uint8_t *out)
{
	size_t body = len, pad;

	if (len == 0 || len % 4 != 0 || len > 65536)
		return -1;
	while (body > 0 && text[body - 1] == '=')
		body--;
	pad = len - body;
	if (pad > 2)
		return -1;
	for (size_t i = 0; i < body; i++)
		if (!is_base64(text[i]))
			return -1;
	if (EVP_DecodeBlock(out, (const unsigned char *)text, (int)len) < 0)
		return -1;
	return (int)(len / 4 * 3 - pad);
}

void secret_put_base64(struct buf *out, const uint8_t *p, size_t n)
{
	size_t room = (n + 2) / 3 * 4 + 1;

	buf_reserve(out, room);
	out->len += (size_t)EVP_EncodeBlock((unsigned char *)out->data + out->len, p, (int)n);
}

bool scram_keys_same_salt(const struct scram_keys *a, const struct scram_keys *b)
{
	return a->iterations == b->iterations && a->salt_len == b->salt_len &&
	       memcmp(a->salt, b->salt, a->salt_len) == 0;
}

/* --- forms ---------------------------------------------------------------- */

#define SCRAM_PREFIX "SCRAM-SHA-256$"

static bool is_md5_text(const char *text)
{
	return strncmp(text, "md5", 3) == 0 && strlen(text) == 35 &&
	       strspn(text + 3, "0123456789abcdefABCDEF") == 32;
}

static bool unbase64_key(const char *text, size_t len, uint8_t key[SCRAM_KEY_LEN])
{
	uint8_t raw[36];

	if (len != 44 || secret_unbase64(text, len, raw) != SCRAM_KEY_LEN)
		return false;
	memcpy(key, raw, SCRAM_KEY_LEN);
	return true;
}

/* ITERATIONS:SALT$STORED:SERVER */
static bool parse_scram(const char *p, struct scram_keys *k)
{
	uint64_t iterations = 0;
	uint8_t salt[SCRAM_SALT_MAX + 6];
	size_t n;
	int len;

	if (*p < '1' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9' && iterations <= SCRAM_ITERATIONS_MAX; p++)
		iterations = iterations * 10 + (uint64_t)(*p - '0');
	if (*p++ != ':' || iterations > SCRAM_ITERATIONS_MAX)
		return false;
	k->iterations = (uint32_t)iterations;
	n = strcspn(p, "$");
	if (p[n] != '$' || n / 4 * 3 > sizeof salt)
		return false;
	len = secret_unbase64(p, n, salt);
	if (len <= 0 || len > SCRAM_SALT_MAX)
		return false;
	k->salt_len = (uint8_t)len;
	memcpy(k->salt, salt, (size_t)len);
	p += n + 1;
	n = strcspn(p, ":");
	return p[n] == ':' && unbase64_key(p, n, k->stored_key) &&
	       unbase64_key(p + n + 1, strlen(p + n + 1), k->server_key);
}

bool secret_parse(const char *text, struct auth_secret *out, const char **why)
{
	memset(out, 0, sizeof *out);
	if (is_md5_text(text)) {
		out->kind = SECRET_MD5;
	} else if (strncmp(text, SCRAM_PREFIX, strlen(SCRAM_PREFIX)) == 0) {
		out->kind = SECRET_SCRAM;
		if (!parse_scram(text + strlen(SCRAM_PREFIX), &out->keys)) {
			*why = "begins like a SCRAM secret but is not "
			       "SCRAM-SHA-256$iterations:salt$"
			       "stored-key:server-key";
			mem_wipe(out, sizeof *out);
			return false;
		}
		out->has_keys = true;
	} else {
		out->kind = SECRET_PLAIN;
		if (strlen(text) > AUTH_PASSWORD_MAX) {
			*why = "the password is longer than 2048 bytes";
			return false;
		}
	}
	out->text = secret_strdup(text);
	return true;
}

void secret_release(struct auth_secret *s)
{
	secret_free(s->text);
	mem_wipe(s, sizeof *s);
}

/* --- derivation ----------------------------------------------------------- */

static bool hmac(const uint8_t *key, size_t key_len, const void *data, size_t n,
	uint8_t out[SCRAM_KEY_LEN])
{
	unsigned len = 0;

	return HMAC(EVP_sha256(), key, (int)key_len, data, n, out, &len) && len == SCRAM_KEY_LEN;
}

bool secret_derive(const char *password, uint32_t iterations, const uint8_t *salt, size_t salt_len,
	struct scram_keys *out)
{
	uint8_t salted[SCRAM_KEY_LEN], client_key[SCRAM_KEY_LEN];
	char *prepared = NULL;
	const char *p = password;
	bool ok;

	if (salt_len > SCRAM_SALT_MAX || iterations == 0)
		return false;
	/* As PostgreSQL: what SASLprep does not allow is taken as it is. */
	if (stringprep_profile(password, &prepared, "SASLprep", STRINGPREP_NO_UNASSIGNED) ==
		STRINGPREP_OK)
		p = prepared;
	ok = PKCS5_PBKDF2_HMAC(p, (int)strlen(p), salt, (int)salt_len, (int)iterations,
		     EVP_sha256(), SCRAM_KEY_LEN, salted) &&
	     hmac(salted, SCRAM_KEY_LEN, "Client Key", 10, client_key) &&
	     SHA256(client_key, SCRAM_KEY_LEN, out->stored_key) &&
	     hmac(salted, SCRAM_KEY_LEN, "Server Key", 10, out->server_key);
	out->iterations = iterations;
	out->salt_len = (uint8_t)salt_len;
	memmove(out->salt, salt, salt_len);
	mem_wipe(salted, sizeof salted);
	mem_wipe(client_key, sizeof client_key);
	if (prepared) {
		mem_wipe(prepared, strlen(prepared));
		free(prepared);
	}
	return ok;
}

void secret_format_scram(const struct scram_keys *k, struct buf *out)
{
	buf_printf(out, SCRAM_PREFIX "%u:", k->iterations);
	secret_put_base64(out, k->salt, k->salt_len);
	buf_put_u8(out, '$');
	secret_put_base64(out, k->stored_key, SCRAM_KEY_LEN);
	buf_put_u8(out, ':');
	secret_put_base64(out, k->server_key, SCRAM_KEY_LEN);
}

bool secret_matches(const struct auth_secret *s, const char *user, const char *password)
{
	struct scram_keys k;
	char md5[36];
	size_t n = strlen(password), stored = strlen(s->text);
	bool same;

	switch (s->kind) {
	case SECRET_PLAIN: {
		/* Compare digests, so that the time tells neither the length nor the prefix. */
		uint8_t a[SHA256_DIGEST_LENGTH], b[SHA256_DIGEST_LENGTH];
		SHA256((const uint8_t *)password, n, a);
		SHA256((const uint8_t *)s->text, stored, b);
		same = mem_equal_ct(a, b, sizeof a) && n == stored;
		mem_wipe(a, sizeof a);
		mem_wipe(b, sizeof b);
		return same;
	}
	case SECRET_MD5:
		if (!secret_md5(password, user, md5))
			return false;
		for (char *c = md5; *c; c++) /* stored digits may be capitals; ours are not */
			*c = (char)(*c | 0x20);
		{
			char lower[36];
			for (int i = 0; i < 36; i++)
				lower[i] = s->text[i] ? (char)(s->text[i] | 0x20) : '\0';
			same = mem_equal_ct(md5, lower, 35);
			mem_wipe(lower, sizeof lower);
		}
		mem_wipe(md5, sizeof md5);
		return same;
	case SECRET_SCRAM:
		if (!secret_derive(password, s->keys.iterations, s->keys.salt, s->keys.salt_len,
			    &k))
			return false;
		same = mem_equal_ct(k.stored_key, s->keys.stored_key, SCRAM_KEY_LEN);
		mem_wipe(&k, sizeof k);
		return same;
	}
	return false;
}

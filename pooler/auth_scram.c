/* SPDX-License-Identifier: ISC
 *
 * The server's side of SCRAM (RFC 5802, 7677), as PostgreSQL's clients speak it: the user name
 * in the messages is ignored (the startup packet has told it), an authorisation identity and
 * extensions are refused.
 *
 * The two messages of the client are read left to right, attribute by attribute; whatever is
 * not exactly as expected is SCRAM_BROKEN.  Whether a proof is right is decided for every
 * candidate secret and for an invented one alike, with comparisons that take constant time.
 */
#include "auth.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#define NONCE_OURS 18	/* random bytes of ours: 24 characters */
#define NONCE_MAX  1024 /* characters of the client's; they have about 24 */

static uint8_t mock_secret[SCRAM_KEY_LEN];
static const char *fixed_nonce;

/* OpenSSL's one-shot functions look SHA-256 up by its name at every call, which took more than the
 * hashing.  All logins are on one thread. */
static EVP_MD *sha256;
static EVP_MD_CTX *digest;
static EVP_MAC_CTX *mac;

bool scram_setup(void)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
		OSSL_PARAM_construct_end()};
	EVP_MAC *hmac;
	bool before, ok;

	if (mac)
		return true;
	before = secret_thread(true);
	hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	mac = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
	EVP_MAC_free(hmac);
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	digest = EVP_MD_CTX_new();
	ok = mac && EVP_MAC_CTX_set_params(mac, params) && sha256 && digest;
	secret_thread(before);
	return ok && secret_random(mock_secret, sizeof mock_secret);
}

void scram_fix_nonce(const char *nonce)
{
	fixed_nonce = nonce;
}

static void hmac(const uint8_t key[SCRAM_KEY_LEN], const void *data, size_t n,
	uint8_t out[SCRAM_KEY_LEN])
{
	size_t len = 0;
	bool before = secret_thread(true); /* the context keeps its last key */

	if (!EVP_MAC_init(mac, key, SCRAM_KEY_LEN, NULL) || !EVP_MAC_update(mac, data, n) ||
		!EVP_MAC_final(mac, out, &len, SCRAM_KEY_LEN))
		log_die(LOG_PART_AUTH, "OpenSSL's HMAC fails");
	secret_thread(before);
}

static void hash_key(const uint8_t key[SCRAM_KEY_LEN], uint8_t out[SCRAM_KEY_LEN])
{
	if (!EVP_DigestInit_ex2(digest, sha256, NULL) ||
		!EVP_DigestUpdate(digest, key, SCRAM_KEY_LEN) ||
		!EVP_DigestFinal_ex(digest, out, NULL))
		log_die(LOG_PART_AUTH, "OpenSSL's SHA-256 fails");
}

/* Salt and keys for a name that has none: the same each time, and no proof fits them. */
static void invent_keys(struct scram *s, const char *name, uint32_t iterations)
{
	uint8_t salt[SCRAM_KEY_LEN];

	hmac(mock_secret, name, strlen(name), salt);
	memcpy(s->mock.salt, salt, 16);
	s->mock.salt_len = 16;
	s->mock.iterations = iterations ? iterations : SCRAM_ITERATIONS_DEFAULT;
	hmac(mock_secret, salt, sizeof salt, s->mock.stored_key);
	s->keys = &s->mock;
}

/* The `prefer`-th set of secrets with one salt, counted round. */
static const struct scram_keys *choose_keys(const struct auth_user *u, unsigned prefer)
{
	const struct scram_keys *sets[16];
	unsigned n = 0;

	for (size_t i = 0; i < u->count && n < ARRAY_LEN(sets); i++) {
		const struct auth_secret *secret = &u->secrets[i];
		bool is_new = secret->has_keys;
		for (unsigned j = 0; j < n && is_new; j++)
			is_new = !scram_keys_same_salt(sets[j], &secret->keys);
		if (is_new)
			sets[n++] = &secret->keys;
	}
	return n ? sets[prefer % n] : NULL;
}

void scram_begin(struct scram *s, const struct auth_user *user, const char *name, unsigned prefer,
	uint32_t mock_iterations, const uint8_t *end_point, size_t end_point_len)
{
	if (!scram_setup())
		log_die(LOG_PART_AUTH, "OpenSSL has no HMAC with SHA-256");
	memset(s, 0, sizeof *s);
	s->user = user;
	s->end_point = end_point;
	s->end_point_len = end_point_len;
	if (user)
		s->keys = choose_keys(user, prefer);
	if (!s->keys) {
		s->user = NULL;
		invent_keys(s, name, mock_iterations);
	}
}

void scram_release(struct scram *s)
{
	free(s->gs2_header);
	free(s->nonce);
	free(s->first_bare);
	free(s->server_first);
	mem_wipe(s, sizeof *s);
}

void scram_put_mechanisms(struct buf *out, bool plus)
{
	if (plus)
		buf_put_cstr(out, "SCRAM-SHA-256-PLUS");
	buf_put_cstr(out, "SCRAM-SHA-256");
	buf_put_u8(out, 0);
}

static enum scram_verdict broken(const char **why, const char *reason)
{
	*why = reason;
	return SCRAM_BROKEN;
}

/* "x=value" up to a comma or the end: moves *p behind the comma.  NULL: not that. */
static const char *take_attribute(const char **p, char name, size_t *len)
{
	const char *value = *p;

	if (value[0] != name || value[1] != '=')
		return NULL;
	value += 2;
	*len = strcspn(value, ",");
	*p = value + *len + (value[*len] == ',');
	return value;
}

static bool is_nonce(const char *p, size_t len)
{
	if (len == 0 || len > NONCE_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (p[i] < 0x21 || p[i] > 0x7e) /* a comma has ended it already */
			return false;
	return true;
}

/* The flag and the empty authorisation identity, "n,,": moves *p behind it. */
static enum scram_verdict read_gs2(struct scram *s, const char **p, const char **why)
{
	static const char binding[] = "p=tls-server-end-point";
	const char *m = *p;

	switch (*m) {
	case 'n':
	case 'y':
		if (s->plus)
			return broken(why, "SCRAM-SHA-256-PLUS was selected, but the SCRAM message "
					   "does not include channel binding data");
		if (*m == 'y' && s->end_point_len)
			return broken(why,
				"SCRAM channel binding negotiation error: the client thinks "
				"that this server does not support channel binding");
		m++;
		break;
	case 'p':
		if (!s->plus)
			return broken(why, "the SCRAM message includes channel binding data, but "
					   "SCRAM-SHA-256-PLUS was not selected");
		if (strncmp(m, binding, strlen(binding)) != 0)
			return broken(why, "unsupported SCRAM channel-binding type");
		m += strlen(binding);
		break;
	default:
		return broken(why, "malformed SCRAM message: unexpected channel-binding flag");
	}
	if (m[0] != ',')
		return broken(why, "malformed SCRAM message: comma expected");
	if (m[1] == 'a')
		return broken(why, "client uses authorization identity, but it is not supported");
	if (m[1] != ',')
		return broken(why, "malformed SCRAM message: unexpected attribute");
	m += 2;
	s->gs2_header = mem_strndup(*p, (size_t)(m - *p));
	*p = m;
	return SCRAM_OK;
}

static void make_nonce(struct scram *s, const char *client, size_t len)
{
	struct buf b = {0};
	uint8_t raw[NONCE_OURS];

	buf_put(&b, client, len);
	if (fixed_nonce) {
		buf_put_str(&b, fixed_nonce);
	} else {
		if (!secret_random(raw, sizeof raw))
			log_die(LOG_PART_AUTH, "no random numbers from the kernel");
		secret_put_base64(&b, raw, sizeof raw);
	}
	buf_put_u8(&b, 0);
	s->nonce = b.data;
}

enum scram_verdict scram_first(struct scram *s, const char *mechanism, const char *msg, size_t len,
	struct buf *out, const char **why)
{
	const char *p = msg, *value;
	struct buf b = {0};
	enum scram_verdict v;
	size_t n;

	if (strcmp(mechanism, "SCRAM-SHA-256-PLUS") == 0 && s->end_point_len)
		s->plus = true;
	else if (strcmp(mechanism, "SCRAM-SHA-256") != 0)
		return broken(why, "client selected an invalid SASL authentication mechanism");
	if (len == 0 || len > SCRAM_MESSAGE_MAX || strlen(msg) != len)
		return broken(why, "malformed SCRAM message: its length is wrong");
	v = read_gs2(s, &p, why);
	if (v != SCRAM_OK)
		return v;
	s->first_bare = mem_strdup(p);
	if (*p == 'm')
		return broken(why, "client requires an unsupported SCRAM extension");
	if (!take_attribute(&p, 'n', &n)) /* the name: ignored, as in PostgreSQL */
		return broken(why, "malformed SCRAM message: attribute \"n\" expected");
	value = take_attribute(&p, 'r', &n);
	if (!value)
		return broken(why, "malformed SCRAM message: attribute \"r\" expected");
	if (!is_nonce(value, n))
		return broken(why, "non-printable characters in SCRAM nonce, or it is too long");
	if (*p)
		return broken(why,
			"malformed SCRAM message: unexpected attribute behind the nonce");
	make_nonce(s, value, n);
	buf_printf(&b, "r=%s,s=", s->nonce);
	secret_put_base64(&b, s->keys->salt, s->keys->salt_len);
	buf_printf(&b, ",i=%u", s->keys->iterations);
	buf_put(out, b.data, b.len);
	buf_put_u8(&b, 0);
	s->server_first = b.data;
	return SCRAM_OK;
}

/* c= must be the GS2 header as it came, and with -PLUS the binding data of this connection. */
static bool is_binding(const struct scram *s, const char *value, size_t len)
{
	struct buf raw = {0}, want = {0};
	bool same;

	buf_put_str(&raw, s->gs2_header);
	if (s->plus)
		buf_put(&raw, s->end_point, s->end_point_len);
	secret_put_base64(&want, (uint8_t *)raw.data, raw.len);
	same = want.len == len && mem_equal_ct(want.data, value, len);
	buf_free(&raw);
	buf_free(&want);
	return same;
}

/* Does the proof fit these keys?  On yes the client's key is in `client_key`. */
static bool proof_fits(const struct scram_keys *k, const struct buf *auth, const uint8_t *proof,
	uint8_t client_key[SCRAM_KEY_LEN])
{
	uint8_t signature[SCRAM_KEY_LEN], stored[SCRAM_KEY_LEN];

	hmac(k->stored_key, auth->data, auth->len, signature);
	for (int i = 0; i < SCRAM_KEY_LEN; i++)
		client_key[i] = proof[i] ^ signature[i];
	hash_key(client_key, stored);
	return mem_equal_ct(stored, k->stored_key, SCRAM_KEY_LEN);
}

/* Tries the proof against every secret of the exchange's salt. */
static bool prove(struct scram *s, const struct buf *auth, const uint8_t *proof)
{
	uint8_t client_key[SCRAM_KEY_LEN];
	bool ok = false;

	if (!s->user)
		(void)!proof_fits(&s->mock, auth, proof, client_key); /* the same work */
	for (size_t i = 0; s->user && i < s->user->count; i++) {
		const struct auth_secret *secret = &s->user->secrets[i];
		if (!secret->has_keys || !scram_keys_same_salt(&secret->keys, s->keys))
			continue;
		if (proof_fits(&secret->keys, auth, proof, client_key) && !ok) {
			ok = true;
			s->proven = secret;
			memcpy(s->client_key, client_key, SCRAM_KEY_LEN);
			memcpy(s->server_key, secret->keys.server_key, SCRAM_KEY_LEN);
		}
	}
	mem_wipe(client_key, sizeof client_key);
	return ok;
}

enum scram_verdict scram_final(struct scram *s, const char *msg, size_t len, struct buf *out,
	const char **why)
{
	const char *p = msg, *value, *proof_at = NULL;
	uint8_t raw[48], signature[SCRAM_KEY_LEN];
	struct buf auth = {0};
	bool ok;
	size_t n;

	if (!s->server_first || len == 0 || len > SCRAM_MESSAGE_MAX || strlen(msg) != len)
		return broken(why, "malformed SCRAM message: its length is wrong");
	value = take_attribute(&p, 'c', &n);
	if (!value)
		return broken(why, "malformed SCRAM message: attribute \"c\" expected");
	if (!is_binding(s, value, n))
		return broken(why, s->plus ? "SCRAM channel binding check failed"
					   : "unexpected SCRAM channel-binding attribute in "
					     "client-final-message");
	value = take_attribute(&p, 'r', &n);
	if (!value || strlen(s->nonce) != n || !mem_equal_ct(value, s->nonce, n))
		return broken(why, "invalid SCRAM response: nonce does not match");
	while (*p && !(p[0] == 'p' && p[1] == '=')) { /* extensions may stand before the proof */
		if (p[1] != '=' || !((p[0] >= 'a' && p[0] <= 'z') || (p[0] >= 'A' && p[0] <= 'Z')))
			return broken(why, "malformed SCRAM message: unexpected attribute");
		(void)take_attribute(&p, p[0], &n);
	}
	proof_at = p;
	value = take_attribute(&p, 'p', &n);
	if (!value || *p || value[n] != '\0')
		return broken(why, "malformed SCRAM message: the proof must be its end");
	if (n != 44 || secret_unbase64(value, n, raw) != SCRAM_KEY_LEN)
		return broken(why, "malformed SCRAM message: malformed proof");
	buf_printf(&auth, "%s,%s,", s->first_bare, s->server_first);
	buf_put(&auth, msg, (size_t)(proof_at - 1 - msg));
	ok = prove(s, &auth, raw);
	if (ok) {
		hmac(s->server_key, auth.data, auth.len, signature);
		buf_put_str(out, "v=");
		secret_put_base64(out, signature, sizeof signature);
	}
	buf_free(&auth);
	mem_wipe(raw, sizeof raw);
	return ok ? SCRAM_OK : SCRAM_DENIED;
}

/* SPDX-License-Identifier: ISC
 *
 * SCRAM against the vectors of RFC 7677, against a client written here, and against clients
 * that break the rules; then the forms of secrets, and md5.
 */
#include "auth.h"

#include <check.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#define RFC_FIRST	 "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
#define RFC_NONCE	 "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define RFC_SERVER_FIRST "r=" RFC_NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define RFC_FINAL	 "c=biws,r=" RFC_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define RFC_SERVER_FINAL "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

static struct buf out;
static const char *why;
static struct scram scram;

/* A user with one SCRAM secret for this password and salt. */
static struct auth_user *user_with(const char *password, const char *salt64)
{
	struct scram_keys k;
	struct buf text = {0};
	uint8_t salt[64];
	int n = secret_unbase64(salt64, strlen(salt64), salt);
	struct auth_user *u;

	ck_assert_int_gt(n, 0);
	ck_assert(secret_derive(password, 4096, salt, (size_t)n, &k));
	secret_format_scram(&k, &text);
	u = auth_user_new("user", buf_cstr(&text), 4096);
	ck_assert_ptr_nonnull(u);
	buf_free(&text);
	return u;
}

static void start(const struct auth_user *u, const char *fixed)
{
	scram_release(&scram);
	scram_fix_nonce(fixed);
	out.len = 0;
	why = NULL;
	scram_begin(&scram, u, "user", 0, 4096, NULL, 0);
}

static enum scram_verdict first(const char *msg)
{
	out.len = 0;
	return scram_first(&scram, "SCRAM-SHA-256", msg, strlen(msg), &out, &why);
}

static enum scram_verdict final(const char *msg)
{
	out.len = 0;
	return scram_final(&scram, msg, strlen(msg), &out, &why);
}

START_TEST(rfc_7677_vectors)
{
	struct auth_user *u = user_with("pencil", "W22ZaJ0SNY7soEsUEjb6gQ==");

	start(u, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
	ck_assert_int_eq(first(RFC_FIRST), SCRAM_OK);
	ck_assert_str_eq(buf_cstr(&out), RFC_SERVER_FIRST);
	ck_assert_int_eq(final(RFC_FINAL), SCRAM_OK);
	ck_assert_str_eq(buf_cstr(&out), RFC_SERVER_FINAL);
	ck_assert_ptr_eq(scram.proven, &u->secrets[0]);
	scram_release(&scram);
	auth_user_drop(&u);
}
END_TEST

START_TEST(a_plain_secret_proves_the_same)
{
	struct auth_user *u = auth_user_new("user", "pencil", 4096);
	struct auth_secret *s = auth_user_underived(u);
	uint8_t salt[64];

	ck_assert_ptr_nonnull(s);
	ck_assert_int_eq(secret_unbase64("W22ZaJ0SNY7soEsUEjb6gQ==", 24, salt), 16);
	ck_assert(secret_derive(s->text, 4096, salt, 16, &s->keys));
	s->has_keys = true;
	ck_assert_ptr_null(auth_user_underived(u));
	start(u, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
	ck_assert_int_eq(first(RFC_FIRST), SCRAM_OK);
	ck_assert_int_eq(final(RFC_FINAL), SCRAM_OK);
	scram_release(&scram);
	auth_user_drop(&u);
}
END_TEST

/* --- a client ------------------------------------------------------------------- */

static void hmac(const uint8_t *key, const char *text, size_t n, uint8_t sum[32])
{
	unsigned len;

	HMAC(EVP_sha256(), key, 32, (const uint8_t *)text, n, sum, &len);
}

/* The client-final-message for what the server said in `out`. */
static char *answer(const char *password, const char *gs2, const uint8_t *binding,
	size_t binding_len, const char *first_bare)
{
	char *server = mem_strdup(buf_cstr(&out)), *nonce, *salt64, *iterations;
	uint8_t salt[64], salted[32], client[32], stored[32], signature[32];
	struct buf cbind = {0}, msg = {0}, auth = {0};
	int n;

	nonce = mem_strndup(server + 2, strcspn(server + 2, ","));
	salt64 = strstr(server, ",s=") + 3;
	iterations = strstr(server, ",i=") + 3;
	n = secret_unbase64(salt64, strcspn(salt64, ","), salt);
	ck_assert_int_gt(n, 0);
	PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt, n,
		(int)strtol(iterations, NULL, 10), EVP_sha256(), 32, salted);
	hmac(salted, "Client Key", 10, client);
	SHA256(client, 32, stored);
	buf_put_str(&cbind, gs2);
	buf_put(&cbind, binding, binding_len);
	buf_put_str(&msg, "c=");
	secret_put_base64(&msg, (uint8_t *)cbind.data, cbind.len);
	buf_printf(&msg, ",r=%s", nonce);
	buf_printf(&auth, "%s,%s,%s", first_bare, server, buf_cstr(&msg));
	hmac(stored, auth.data, auth.len, signature);
	for (int i = 0; i < 32; i++)
		client[i] ^= signature[i];
	buf_put_str(&msg, ",p=");
	secret_put_base64(&msg, client, 32);
	buf_put_u8(&msg, 0);
	buf_free(&cbind);
	buf_free(&auth);
	free(nonce);
	free(server);
	return msg.data;
}

static enum scram_verdict login(const struct auth_user *u, const char *password, unsigned prefer)
{
	char *msg;
	enum scram_verdict v;

	scram_release(&scram);
	scram_begin(&scram, u, "user", prefer, 4096, NULL, 0);
	ck_assert_int_eq(first("n,,n=,r=abcdefgh"), SCRAM_OK);
	msg = answer(password, "n,,", NULL, 0, "n=,r=abcdefgh");
	v = final(msg);
	free(msg);
	return v;
}

START_TEST(right_and_wrong_passwords)
{
	struct auth_user *u = user_with("secret", "c2FsdHNhbHRzYWx0c2FsdA==");

	scram_fix_nonce(NULL);
	ck_assert_int_eq(login(u, "secret", 0), SCRAM_OK);
	ck_assert_int_eq(login(u, "Secret", 0), SCRAM_DENIED);
	ck_assert_uint_eq(out.len, 0);
	ck_assert_int_eq(login(u, "", 0), SCRAM_DENIED);
	scram_release(&scram);
	auth_user_drop(&u);
}
END_TEST

START_TEST(client_key_is_kept_for_pass_through)
{
	struct auth_user *u = user_with("secret", "c2FsdHNhbHRzYWx0c2FsdA==");
	uint8_t stored[32];

	ck_assert_int_eq(login(u, "secret", 0), SCRAM_OK);
	SHA256(scram.client_key, 32, stored);
	ck_assert_mem_eq(stored, u->secrets[0].keys.stored_key, 32);
	ck_assert_mem_eq(scram.server_key, u->secrets[0].keys.server_key, 32);
	scram_release(&scram);
	auth_user_drop(&u);
}
END_TEST

START_TEST(unknown_users_see_a_salt_that_stays)
{
	char *one, *two;

	ck_assert(scram_setup());
	scram_fix_nonce(NULL);
	start(NULL, NULL);
	ck_assert_int_eq(first("n,,n=,r=abcdefgh"), SCRAM_OK);
	one = mem_strdup(strstr(buf_cstr(&out), ",s="));
	start(NULL, NULL);
	ck_assert_int_eq(first("n,,n=,r=abcdefgh"), SCRAM_OK);
	two = mem_strdup(strstr(buf_cstr(&out), ",s="));
	ck_assert_str_eq(one, two);
	ck_assert_uint_eq(strlen(one), strlen(",s=c2FsdHNhbHRzYWx0c2FsdA==,i=4096"));
	ck_assert_int_eq(login(NULL, "anything", 0), SCRAM_DENIED);
	scram_release(&scram);
	free(one);
	free(two);
}
END_TEST

START_TEST(two_secrets_live_at_a_time)
{
	struct auth_user *u = user_with("old", "c2FsdHNhbHRzYWx0c2FsdA==");
	struct auth_user *other = user_with("third", "b3RoZXJzYWx0c2FsdHNhbA==");
	struct auth_secret *s;

	/* a plain one beside a SCRAM one: it takes that one's salt, so either works at once */
	ck_assert(auth_user_add(u, "new", 4096));
	s = auth_user_underived(u);
	ck_assert_ptr_nonnull(s);
	ck_assert(secret_derive(s->text, s->keys.iterations, s->keys.salt, s->keys.salt_len,
		&s->keys));
	s->has_keys = true;
	ck_assert_uint_eq(auth_user_salts(u), 1);
	ck_assert_int_eq(login(u, "old", 0), SCRAM_OK);
	ck_assert_int_eq(login(u, "new", 0), SCRAM_OK);
	ck_assert_ptr_eq(scram.proven, &u->secrets[1]);
	ck_assert_int_eq(login(u, "newer", 0), SCRAM_DENIED);
	/* a SCRAM one with another salt: the next try reaches it */
	ck_assert(auth_user_add(u, other->secrets[0].text, 4096));
	ck_assert_uint_eq(auth_user_salts(u), 2);
	ck_assert_int_eq(login(u, "third", 0), SCRAM_DENIED);
	ck_assert_int_eq(login(u, "third", 1), SCRAM_OK);
	ck_assert_int_eq(login(u, "old", 2), SCRAM_OK);
	scram_release(&scram);
	auth_user_drop(&u);
	auth_user_drop(&other);
}
END_TEST

START_TEST(channel_binding)
{
	struct auth_user *u = user_with("secret", "c2FsdHNhbHRzYWx0c2FsdA==");
	static const uint8_t end_point[32] = {1, 2, 3};
	static const uint8_t forged[32] = {1, 2, 4};
	static const char gs2[] = "p=tls-server-end-point,,";
	char *msg;

	for (int i = 0; i < 2; i++) {
		const char *m = "p=tls-server-end-point,,n=,r=abcdefgh";
		scram_release(&scram);
		scram_begin(&scram, u, "user", 0, 4096, end_point, sizeof end_point);
		out.len = 0;
		ck_assert_int_eq(scram_first(&scram, "SCRAM-SHA-256-PLUS", m, strlen(m), &out,
					 &why),
			SCRAM_OK);
		msg = answer("secret", gs2, i ? forged : end_point, 32, "n=,r=abcdefgh");
		ck_assert_int_eq(final(msg), i ? SCRAM_BROKEN : SCRAM_OK);
		free(msg);
	}
	/* who speaks TLS and says we offered no binding was lied to */
	scram_release(&scram);
	scram_begin(&scram, u, "user", 0, 4096, end_point, sizeof end_point);
	ck_assert_int_eq(first("y,,n=,r=abcdefgh"), SCRAM_BROKEN);
	scram_release(&scram);
	scram_begin(&scram, u, "user", 0, 4096, end_point, sizeof end_point);
	ck_assert_int_eq(first("p=tls-server-end-point,,n=,r=abcdefgh"), SCRAM_BROKEN);
	/* without TLS there is no -PLUS */
	start(u, NULL);
	ck_assert_int_eq(scram_first(&scram, "SCRAM-SHA-256-PLUS",
				 "p=tls-server-end-point,,n=,r=abcdefgh", 37, &out, &why),
		SCRAM_BROKEN);
	start(u, NULL);
	ck_assert_int_eq(first("y,,n=,r=abcdefgh"), SCRAM_OK);
	scram_release(&scram);
	auth_user_drop(&u);
}
END_TEST

START_TEST(broken_first_messages)
{
	static const char *const messages[] = {"", "n", "n,", "n,,", "n,a=me,n=,r=x", "x,,n=,r=x",
		"n,,n=", "n,,r=x", "n,,n=,r=", "n,,n=,r=\x7f", "n,,n=,r=a b", "n,,n=,r=abc,x=y",
		"n,,m=1,n=,r=x", "p=tls-unique,,n=,r=x", "n,,n=,r=x\xc3\xa4", "y", "p",
		"p=", ",,n=,r=x", "n;;n=,r=x"};
	struct auth_user *u = user_with("secret", "c2FsdHNhbHRzYWx0c2FsdA==");
	char *big = mem_alloc(5000);

	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		start(u, NULL);
		ck_assert_msg(first(messages[i]) == SCRAM_BROKEN, "\"%s\"", messages[i]);
		ck_assert_ptr_nonnull(why);
		ck_assert_uint_eq(out.len, 0);
	}
	/* a NUL inside, other mechanisms, a nonce without end */
	start(u, NULL);
	ck_assert_int_eq(scram_first(&scram, "SCRAM-SHA-256", "n,,n=,r=\0abc", 12, &out, &why),
		SCRAM_BROKEN);
	start(u, NULL);
	ck_assert_int_eq(scram_first(&scram, "SCRAM-SHA-1", RFC_FIRST, strlen(RFC_FIRST), &out,
				 &why),
		SCRAM_BROKEN);
	start(u, NULL);
	memset(big, 'a', 4999);
	big[4999] = '\0';
	memcpy(big, "n,,n=,r=", 8);
	ck_assert_int_eq(first(big), SCRAM_BROKEN);
	big[8 + 1024] = '\0';
	start(u, NULL);
	ck_assert_int_eq(first(big), SCRAM_OK);
	free(big);
	scram_release(&scram);
	auth_user_drop(&u);
}
END_TEST

START_TEST(broken_final_messages)
{
	static const char *const messages[] = {"", "c=biws", "c=biws,", "c=,r=" RFC_NONCE ",p=x",
		"c=biws,r=rOprNGfwEbeRWgbNEkqO,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		"c=biws,r=" RFC_NONCE "x,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		"c=eSws,r=" RFC_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		"c=biws,r=" RFC_NONCE ",p=", "c=biws,r=" RFC_NONCE ",p=dHzb",
		"c=biws,r=" RFC_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ",
		"c=biws,r=" RFC_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=,x=y",
		"c=biws,r=" RFC_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=,",
		"c=biws,r=" RFC_NONCE ",1=2,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		"c=biws,r=" RFC_NONCE ",p=!HzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="};
	struct auth_user *u = user_with("pencil", "W22ZaJ0SNY7soEsUEjb6gQ==");

	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		start(u, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
		ck_assert_int_eq(first(RFC_FIRST), SCRAM_OK);
		ck_assert_msg(final(messages[i]) == SCRAM_BROKEN, "\"%s\"", messages[i]);
	}
	/* a final message before the first one */
	start(u, NULL);
	ck_assert_int_eq(final(RFC_FINAL), SCRAM_BROKEN);
	scram_fix_nonce(NULL);
	scram_release(&scram);
	auth_user_drop(&u);
}
END_TEST

START_TEST(every_damaged_byte_is_denied)
{
	struct auth_user *u = user_with("pencil", "W22ZaJ0SNY7soEsUEjb6gQ==");
	char msg[] = RFC_FINAL;

	for (size_t i = 0; i < sizeof msg - 1; i++) {
		msg[i] ^= 1;
		start(u, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
		ck_assert_int_eq(first(RFC_FIRST), SCRAM_OK);
		/* the last digit before '=' carries two bits that base64 does not use */
		if (i != sizeof msg - 3)
			ck_assert_msg(final(msg) != SCRAM_OK, "byte %zu", i);
		msg[i] ^= 1;
	}
	scram_fix_nonce(NULL);
	scram_release(&scram);
	auth_user_drop(&u);
}
END_TEST

START_TEST(forms_of_secrets)
{
	static const struct {
		const char *text;
		int kind; /* -1: refused */
	} cases[] = {
		{"hello", SECRET_PLAIN},
		{"md5", SECRET_PLAIN},
		{"md5900150983cd24fb0d6963f7d28e17f72", SECRET_MD5},
		{"md5900150983CD24FB0D6963F7D28E17F72", SECRET_MD5},
		{"md5900150983cd24fb0d6963f7d28e17f7", SECRET_PLAIN},
		{"md5900150983cd24fb0d6963f7d28e17f7g", SECRET_PLAIN},
		{"SCRAM-SHA-256$4096:c2FsdA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"
		 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
			SECRET_SCRAM},
		{"SCRAM-SHA-256$", -1},
		{"SCRAM-SHA-256$0:c2FsdA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"
		 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
			-1},
		{"SCRAM-SHA-256$99999999999999999999:c2FsdA==$"
		 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"
		 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
			-1},
		{"SCRAM-SHA-256$4096:$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"
		 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
			-1},
		{"SCRAM-SHA-256$4096:c2FsdA==$AAAA:AAAA", -1},
	};
	struct auth_secret s;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool ok = secret_parse(cases[i].text, &s, &why);
		ck_assert_msg(ok == (cases[i].kind >= 0), "%s", cases[i].text);
		if (ok) {
			ck_assert_int_eq((int)s.kind, cases[i].kind);
			secret_release(&s);
		}
	}
}
END_TEST

START_TEST(what_postgresql_stores_matches_its_passwords)
{
	/* from pg_authid of PostgreSQL 15: create role foo password 'foo'; role m5 with md5 */
	static const char scram_text[] =
		"SCRAM-SHA-256$4096:IyaiPN/"
		"wzGeTANnTflxYow==$eI6dxLSsMKsuub3zYh6sI2oSrij8E4PzzqMcvIlBoYo=:"
		"hGJzVgUdpFNo7Z69QErLfG83SJnV6DgKx1TuC1Q00CE=";
	static const char md5_text[] = "md5b3da52db979a5f31f83f4492cffafc1d";
	struct auth_secret s;
	struct buf again = {0};

	ck_assert(secret_parse(scram_text, &s, &why));
	ck_assert(secret_matches(&s, "foo", "foo"));
	ck_assert(!secret_matches(&s, "foo", "fooo"));
	secret_format_scram(&s.keys, &again);
	ck_assert_str_eq(buf_cstr(&again), scram_text);
	secret_release(&s);
	buf_free(&again);
	ck_assert(secret_parse(md5_text, &s, &why));
	ck_assert(secret_matches(&s, "m5", "md5pw"));
	ck_assert(!secret_matches(&s, "m5", "md5pW"));
	secret_release(&s);
}
END_TEST

START_TEST(sasl_preparation_is_that_of_postgresql)
{
	struct scram_keys a, b;
	const uint8_t *salt = (const uint8_t *)"0123456789abcdef";

	/* compatibility forms fold, a soft hyphen vanishes: RFC 4013 */
	ck_assert(secret_derive("I\xc2\xadX", 1, salt, 16, &a));
	ck_assert(secret_derive("IX", 1, salt, 16, &b));
	ck_assert_mem_eq(a.stored_key, b.stored_key, 32);
	ck_assert(secret_derive("\xe2\x85\xa8", 1, salt, 16, &a));
	ck_assert_mem_eq(a.stored_key, b.stored_key, 32);
	/* what is no UTF-8 is taken as it is */
	ck_assert(secret_derive("\xff\xfe", 1, salt, 16, &a));
}
END_TEST

START_TEST(md5_challenge)
{
	/* md5(md5("secret" || "app") || salt) */
	static const uint8_t salt[4] = {1, 2, 3, 4};
	struct auth_secret plain, hashed;
	char stored[36], text[40];
	uint8_t digest[16];
	unsigned n;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	ck_assert(secret_md5("secret", "app", stored));
	ck_assert(secret_parse("secret", &plain, &why));
	ck_assert(secret_parse(stored, &hashed, &why));
	EVP_DigestInit_ex(ctx, EVP_md5(), NULL);
	EVP_DigestUpdate(ctx, stored + 3, 32);
	EVP_DigestUpdate(ctx, salt, 4);
	EVP_DigestFinal_ex(ctx, digest, &n);
	EVP_MD_CTX_free(ctx);
	memcpy(text, "md5", 3);
	for (int i = 0; i < 16; i++)
		snprintf(text + 3 + 2 * i, 3, "%02x", digest[i]);
	ck_assert(md5_check(&plain, "app", salt, text));
	ck_assert(md5_check(&hashed, "app", salt, text));
	ck_assert(!md5_check(&plain, "App", salt, text));
	text[10] ^= 1;
	ck_assert(!md5_check(&plain, "app", salt, text));
	ck_assert(!md5_check(&plain, "app", salt, ""));
	ck_assert(!md5_check(&plain, "app", salt, "md5"));
	ck_assert(secret_matches(&hashed, "app", "secret"));
	ck_assert(!secret_matches(&hashed, "app2", "secret"));
	ck_assert(secret_matches(&plain, "app", "secret"));
	ck_assert(!secret_matches(&plain, "app", "secre"));
	secret_release(&plain);
	secret_release(&hashed);
}
END_TEST

START_TEST(base64_is_strict)
{
	uint8_t raw[64];

	ck_assert_int_eq(secret_unbase64("YQ==", 4, raw), 1);
	ck_assert_int_eq(secret_unbase64("YWI=", 4, raw), 2);
	ck_assert_int_eq(secret_unbase64("YWJj", 4, raw), 3);
	ck_assert_int_eq(secret_unbase64("", 0, raw), -1);
	ck_assert_int_eq(secret_unbase64("YQ=", 3, raw), -1);
	ck_assert_int_eq(secret_unbase64("Y===", 4, raw), -1);
	ck_assert_int_eq(secret_unbase64("Y=Q=", 4, raw), -1);
	ck_assert_int_eq(secret_unbase64(" YQ=", 4, raw), -1);
	ck_assert_int_eq(secret_unbase64("YQ\n=", 4, raw), -1);
}
END_TEST

START_TEST(secret_memory_is_wiped_and_reused)
{
	char *a = secret_strdup("top secret"), *b;

	secret_free(a);
	b = secret_alloc(11);
	ck_assert_ptr_eq(a, b);
	for (int i = 0; i < 11; i++)
		ck_assert_int_eq(b[i], 0);
	secret_free(b);
	for (size_t n = 1; n < 300000; n = n * 3 + 1) {
		char *p = secret_alloc(n);
		memset(p, 'x', n);
		secret_free(p);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("auth_scram");
	TCase *tc = tcase_create("scram");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, rfc_7677_vectors);
	tcase_add_test(tc, a_plain_secret_proves_the_same);
	tcase_add_test(tc, right_and_wrong_passwords);
	tcase_add_test(tc, client_key_is_kept_for_pass_through);
	tcase_add_test(tc, unknown_users_see_a_salt_that_stays);
	tcase_add_test(tc, two_secrets_live_at_a_time);
	tcase_add_test(tc, channel_binding);
	tcase_add_test(tc, broken_first_messages);
	tcase_add_test(tc, broken_final_messages);
	tcase_add_test(tc, every_damaged_byte_is_denied);
	tcase_add_test(tc, forms_of_secrets);
	tcase_add_test(tc, what_postgresql_stores_matches_its_passwords);
	tcase_add_test(tc, sasl_preparation_is_that_of_postgresql);
	tcase_add_test(tc, md5_challenge);
	tcase_add_test(tc, base64_is_strict);
	tcase_add_test(tc, secret_memory_is_wiped_and_reused);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}

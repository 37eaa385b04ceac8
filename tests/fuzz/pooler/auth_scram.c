/* SPDX-License-Identifier: ISC
 *
 * Any bytes as the two messages of a SCRAM client, and any text as a stored secret.  Nobody may
 * be let in by guessing: the password is not in the input.  Exercises auth_scram.c,
 * auth_secret.c and auth_md5.c.
 *
 * Input: a flag byte, the length of the first message in two bytes, both messages.
 */
#include "auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *text_of(const uint8_t *p, size_t n)
{
	char *s = mem_alloc(n + 1);

	memcpy(s, p, n);
	s[n] = '\0';
	return s;
}

static void try_secret(const char *text)
{
	struct auth_secret s;
	struct buf again = {0};
	const char *why;

	if (!secret_parse(text, &s, &why))
		return;
	if (s.kind == SECRET_SCRAM) {
		secret_format_scram(&s.keys, &again);
		buf_cstr(&again);
	}
	if (s.kind != SECRET_SCRAM && md5_check(&s, "user", (const uint8_t *)"salt", text) &&
		s.kind == SECRET_PLAIN)
		abort();
	buf_free(&again);
	secret_release(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct auth_user *user;
	static const uint8_t end_point[32] = {1};
	struct scram s;
	struct buf out = {0};
	const char *why = NULL;
	char *first, *final;
	size_t n;
	bool plus;

	if (!user)
		user = auth_user_new("user",
			"SCRAM-SHA-256$4096:IyaiPN/"
			"wzGeTANnTflxYow==$eI6dxLSsMKsuub3zYh6sI2oSrij8E4PzzqMcvIlBoYo"
			"=:hGJzVgUdpFNo7Z69QErLfG83SJnV6DgKx1TuC1Q00CE=",
			4096);
	if (size < 3)
		return 0;
	plus = data[0] & 1;
	n = (size_t)(data[1] << 8 | data[2]);
	if (n > size - 3)
		n = size - 3;
	first = text_of(data + 3, n);
	final = text_of(data + 3 + n, size - 3 - n);
	scram_fix_nonce("0123456789");
	scram_begin(&s, data[0] & 2 ? user : NULL, "user", 0, 4096, plus ? end_point : NULL,
		plus ? 32 : 0);
	if (scram_first(&s, data[0] & 4 ? "SCRAM-SHA-256-PLUS" : "SCRAM-SHA-256", first, n, &out,
		    &why) == SCRAM_OK) {
		enum scram_verdict v = scram_final(&s, final, size - 3 - n, &out, &why);
		if (v == SCRAM_OK)
			abort();
		if (v == SCRAM_BROKEN && !why)
			abort();
	}
	scram_release(&s);
	try_secret(first);
	free(first);
	free(final);
	buf_free(&out);
	return 0;
}

/* SPDX-License-Identifier: ISC
 *
 * How long libpq may compute for a server.  A server says how many iterations SCRAM takes; with
 * 2^31 of them libpq derives keys for half an hour and can neither be told a limit nor be
 * interrupted (CVE-2026-6669 of PgBouncer).  Each iteration begins with HMAC_Init_ex() of OpenSSL,
 * so that is replaced: past the thread's deadline it fails, and with it the login.
 */
#include "auth.h"

#include <dlfcn.h>
#include <openssl/hmac.h>
#include <pthread.h>

static _Thread_local usec_t deadline;

usec_t auth_patience(usec_t until)
{
	usec_t before = deadline;

	deadline = until;
	return before;
}

bool auth_patience_is_over(void)
{
	return deadline && clock_mono() >= deadline;
}

typedef int hmac_init_fn(HMAC_CTX *, const void *, int, const EVP_MD *, ENGINE *);

static hmac_init_fn *real_init;

static void find_real(void)
{
	*(void **)&real_init = dlsym(RTLD_NEXT, "HMAC_Init_ex");
	if (!real_init)
		log_die(LOG_PART_AUTH, "OpenSSL has no HMAC_Init_ex");
}

__attribute__((visibility("default"), used)) int HMAC_Init_ex(HMAC_CTX *ctx, const void *key,
	int len, const EVP_MD *md, ENGINE *impl)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	if (auth_patience_is_over())
		return 0;
	pthread_once(&once, find_real);
	return real_init(ctx, key, len, md, impl);
}

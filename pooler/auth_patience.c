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

/* OpenSSL 3 would rather that nobody calls it; libpq does. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

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

/* The function that the caller's library would have called: a libpq of another origin may have an
 * OpenSSL of its own. */
static hmac_init_fn *real_for(void *caller)
{
	static _Thread_local struct {
		void *caller;
		hmac_init_fn *found;
	} known[8];
	hmac_init_fn *found = NULL;
	size_t i = ((uintptr_t)caller >> 4) % ARRAY_LEN(known);
	Dl_info from;
	void *library;

	if (caller == known[i].caller)
		return known[i].found;
	library = dladdr(caller, &from) && from.dli_fname
			  ? dlopen(from.dli_fname, RTLD_LAZY | RTLD_NOLOAD)
			  : NULL;
	if (library) {
		*(void **)&found = dlsym(library, "HMAC_Init_ex");
		dlclose(library);
	}
	if (!found || found == HMAC_Init_ex)
		*(void **)&found = dlsym(RTLD_NEXT, "HMAC_Init_ex");
	if (!found)
		log_die(LOG_PART_AUTH, "OpenSSL has no HMAC_Init_ex");
	known[i].caller = caller;
	known[i].found = found;
	return found;
}

__attribute__((visibility("default"), used)) int HMAC_Init_ex(HMAC_CTX *ctx, const void *key,
	int len, const EVP_MD *md, ENGINE *impl)
{
	if (auth_patience_is_over())
		return 0;
	return real_for(__builtin_return_address(0))(ctx, key, len, md, impl);
}

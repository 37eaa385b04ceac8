/* SPDX-License-Identifier: ISC
 *
 * What the libpq that is running can, which may be another one than we were built with.
 */
#include "auth.h"

#include <dlfcn.h>
#include <libpq-fe.h>
#include <openssl/crypto.h>
#include <pthread.h>

static bool libpq_takes_keys;

static void look_at_libpq(void)
{
	PQconninfoOption *all = PQconndefaults();

	for (PQconninfoOption *o = all; o && o->keyword; o++)
		if (strcmp(o->keyword, "scram_client_key") == 0)
			libpq_takes_keys = true;
	PQconninfoFree(all);
}

bool auth_libpq_takes_keys(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, look_at_libpq);
	return libpq_takes_keys;
}

bool auth_libpq_shares_openssl(void)
{
	unsigned long (*theirs)(void) = NULL;
	void *libpq = dlopen("libpq.so.5", RTLD_LAZY | RTLD_NOLOAD);

	if (!libpq)
		return true; /* linked into us */
	*(void **)&theirs = dlsym(libpq, "OpenSSL_version_num");
	dlclose(libpq);
	return !theirs || theirs() == OpenSSL_version_num();
}

int auth_libpq_version(void)
{
	return PQlibVersion() / 10000;
}

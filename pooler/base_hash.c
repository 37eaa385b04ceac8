/* SPDX-License-Identifier: ISC
 *
 * The keyed hash: OpenSSL's SipHash.  The key is drawn once, kept in memory only; each
 * thread has a context of its own, made at its first use and freed when it ends.
 */
#include "base.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>
#include <sys/random.h>

static pthread_once_t hash_once = PTHREAD_ONCE_INIT;
static pthread_key_t hash_context;
static unsigned char hash_key[16];

static void free_context(void *c)
{
	EVP_MAC_CTX_free(c);
}

static void hash_init(void)
{
	if (pthread_key_create(&hash_context, free_context) != 0 ||
		getrandom(hash_key, sizeof hash_key, 0) != (ssize_t)sizeof hash_key)
		log_die(LOG_PART_MAIN, "no random numbers");
}

uint64_t hash_keyed(const void *p, size_t n)
{
	size_t size = 8, got = 0;
	OSSL_PARAM params[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
		OSSL_PARAM_construct_end()};
	unsigned char tag[8] = {0};
	EVP_MAC_CTX *c;
	uint64_t h;

	pthread_once(&hash_once, hash_init);
	c = pthread_getspecific(hash_context);
	if (!c) {
		EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
		c = mac ? EVP_MAC_CTX_new(mac) : NULL;
		EVP_MAC_free(mac);
		if (!c || pthread_setspecific(hash_context, c) != 0)
			log_die(LOG_PART_MAIN, "OpenSSL has no SipHash");
	}
	if (!EVP_MAC_init(c, hash_key, sizeof hash_key, params) ||
		!EVP_MAC_update(c, p ? p : "", n) || !EVP_MAC_final(c, tag, &got, sizeof tag))
		log_die(LOG_PART_MAIN, "OpenSSL's SipHash fails");
	memcpy(&h, tag, sizeof h);
	return h;
}

/* SPDX-License-Identifier: ISC
 *
 * sql_hash: the hash of shapes, for any bytes.
 */
#include "sql_lex_own.h"

uint64_t sql_hash_bytes(const void *bytes, size_t n, uint64_t seed)
{
	const unsigned char *p = bytes;
	uint64_t h = seed ^ (n * 0x9e3779b97f4a7c15ULL);

	for (; n >= 16; n -= 16, p += 16)
		h = mum(load8(p) ^ 0xa0761d6478bd642fULL, load8(p + 8) ^ h ^ 0xe7037ed1a0b428dbULL);
	if (n >= 8) {
		h = mum(load8(p) ^ 0x8ebc6af09c88c6e3ULL, h ^ 0x589965cc75374cc3ULL);
		p += 8;
		n -= 8;
	}
	return mum(load_tail(p, n) ^ 0x1d8e4e27c47d124fULL, h ^ 0xeb44accab455d165ULL);
}

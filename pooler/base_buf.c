/* SPDX-License-Identifier: ISC
 *
 * struct buf and the memory functions.  Buffers double from 64 bytes; a buffer with a
 * cap refuses what would exceed it and remembers that it did.
 */
#include "base.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>

void *mem_alloc(size_t size)
{
	void *p = malloc(size ? size : 1);
	if (!p)
		log_die(LOG_PART_MAIN, "out of memory (%zu bytes asked for)", size);
	return p;
}

void *mem_zalloc(size_t size)
{
	void *p = calloc(1, size ? size : 1);
	if (!p)
		log_die(LOG_PART_MAIN, "out of memory (%zu bytes asked for)", size);
	return p;
}

void *mem_realloc(void *old, size_t size)
{
	void *p = realloc(old, size ? size : 1);
	if (!p)
		log_die(LOG_PART_MAIN, "out of memory (%zu bytes asked for)", size);
	return p;
}

char *mem_strndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *p = mem_alloc(len + 1);

	memcpy(p, s, len);
	p[len] = '\0';
	return p;
}

char *mem_strdup(const char *s)
{
	return mem_strndup(s, strlen(s));
}

char *mem_printf(const char *fmt, ...)
{
	struct buf b = {0};
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	buf_put_u8(&b, 0);
	return b.data;
}

void mem_wipe(void *p, size_t n)
{
	OPENSSL_cleanse(p, n);
}

bool mem_equal_ct(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}

void buf_reserve(struct buf *b, size_t more)
{
	size_t need = b->len + more, size = b->size ? b->size : 64;

	if (need <= b->size)
		return;
	while (size < need)
		size *= 2;
	b->data = mem_realloc(b->data, size);
	b->size = size;
}

void buf_put(struct buf *b, const void *p, size_t n)
{
	if (b->cap && (n > b->cap || b->len > b->cap - n)) {
		b->overflow = true;
		return;
	}
	if (n == 0)
		return;
	buf_reserve(b, n);
	memcpy(b->data + b->len, p, n);
	b->len += n;
}

void buf_put_str(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s));
}

void buf_put_cstr(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s) + 1);
}

void buf_put_u8(struct buf *b, uint8_t v)
{
	buf_put(b, &v, 1);
}

void buf_put_u16(struct buf *b, uint16_t v)
{
	v = htons(v);
	buf_put(b, &v, 2);
}

void buf_put_u32(struct buf *b, uint32_t v)
{
	v = htonl(v);
	buf_put(b, &v, 4);
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	char small[256];
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(small, sizeof small, fmt, ap);
	if (n >= 0 && (size_t)n < sizeof small) {
		buf_put(b, small, (size_t)n);
	} else if (n >= 0) {
		char *big = mem_alloc((size_t)n + 1);
		vsnprintf(big, (size_t)n + 1, fmt, again);
		buf_put(b, big, (size_t)n);
		free(big);
	}
	va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

const char *buf_cstr(struct buf *b)
{
	buf_reserve(b, 1);
	b->data[b->len] = '\0';
	return b->data;
}

void buf_drop_front(struct buf *b, size_t n)
{
	if (n >= b->len) {
		b->len = 0;
		return;
	}
	memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
}

void buf_free(struct buf *b)
{
	free(b->data);
	b->data = NULL;
	b->len = b->size = 0;
	b->overflow = false;
}

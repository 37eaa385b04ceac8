/* SPDX-License-Identifier: ISC
 *
 * UTF-8: texts of clients and servers may be in any encoding, but what we write for machines
 * (JSON, metrics) may not.
 */
#include "base.h"

size_t utf8_len(const char *text, size_t len)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n;

	if (s[0] < 0x80)
		n = 1;
	else if (s[0] >= 0xC2 && s[0] <= 0xDF)
		n = 2;
	else if ((s[0] & 0xF0) == 0xE0)
		n = 3;
	else if (s[0] >= 0xF0 && s[0] <= 0xF4)
		n = 4;
	else
		return 0;
	if (len < n)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xC0) != 0x80)
			return 0;
	if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) ||
		(s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F))
		return 0;
	return n;
}

size_t utf8_clip(const char *s, size_t len, size_t max)
{
	size_t n = max;

	if (len <= max)
		return len;
	for (size_t back = 0; back < 4 && n > 0 && ((unsigned char)s[n] & 0xC0) == 0x80; back++)
		n--;
	return n;
}

/* SPDX-License-Identifier: ISC
 *
 * base_roff: text in manual pages.
 */
#include "base.h"

/* A line that begins with a dot or a quote is a request, a backslash an escape. */
void roff_put(FILE *to, const char *text)
{
	for (const char *p = text; *p; p++) {
		if (*p == '\\')
			fputs("\\e", to);
		else if (*p == '-')
			fputs("\\-", to);
		else if ((*p == '.' || *p == '\'') && (p == text || p[-1] == '\n'))
			fprintf(to, "\\&%c", *p);
		else
			fputc(*p, to);
	}
}

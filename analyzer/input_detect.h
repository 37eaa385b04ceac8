/* SPDX-License-Identifier: ISC
 *
 * input_detect.h: private to the input family.
 */
#ifndef INPUT_DETECT_H
#define INPUT_DETECT_H

#include "input.h"

/* Sets f->format from the first bytes of the file; NULL stays when nothing fits.  false: the
 * options are wrong. */
bool detect_format(struct input_file *f, const struct input_options *opt, const char *p, size_t n,
	struct err *why);

#endif

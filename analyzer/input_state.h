/* SPDX-License-Identifier: ISC
 *
 * input_state.h: what of which file was read, from run to run; private to the input family.
 */
#ifndef INPUT_STATE_H
#define INPUT_STATE_H

#include "input.h"

/* Before reading: files read before begin where that run ended; a file that was rotated away
 * in between is found by its inode beside its successor and read to its end first. */
bool state_apply(struct input *in, const char *path, struct err *why);
/* Remembers what the file begins with: it is known again when it was renamed or packed. */
void state_head(struct input_file *f, const char *p, size_t n);

#endif

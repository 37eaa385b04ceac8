/* SPDX-License-Identifier: ISC
 *
 * input_follow.h: --follow: files that come while others are read; private to the input family.
 *
 *	follow = follow_new(in)            what is there now is known
 *	n = follow_look(follow, in)        now and then: n files more at the end of in->file
 *	follow_free(&follow)
 */
#ifndef INPUT_FOLLOW_H
#define INPUT_FOLLOW_H

#include "input.h"

struct follow;
struct follow *follow_new(const struct input *in);
/* Adds the files that have come since, the oldest first; each is added once, under whichever name.
 */
size_t follow_look(struct follow *w, struct input *in);
/* The file behind the descriptor is being read, or no more: then its inode may become another's. */
void follow_hold(struct follow *w, int fd, bool is_held);
/* It had another name when it was to be opened: it is found again. */
void follow_missed(struct follow *w, const struct input_file *f);
/* May there come one, though none is being read? */
bool follow_waits(const struct follow *w);
void follow_free(struct follow **w);

#endif

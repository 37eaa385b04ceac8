/* SPDX-License-Identifier: ISC
 *
 * Any text as a user list, then look-ups.  Exercises auth_users.c and auth_secret.c.
 */
#include "auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf err = {0};
	char *text = mem_alloc(size);
	struct auth_users *u;
	const struct auth_user *found;

	memcpy(text, data, size);
	u = auth_users_parse(text, size, "users", 4096, &err);
	if (!u == (err.len == 0))
		abort();
	if (u) {
		found = auth_users_find(u, "bob");
		if (found && found->count > auth_users_count(u) + size)
			abort();
		if (found && auth_user_salts(found) > found->count)
			abort();
		auth_users_have_md5(u);
	}
	auth_users_drop(&u);
	buf_free(&err);
	free(text);
	return 0;
}

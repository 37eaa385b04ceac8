/* SPDX-License-Identifier: ISC
 *
 * Any bytes as the body of an ErrorResponse or of a CommandComplete; fields that are found
 * lie inside, and are found again when they are put into a message of ours.
 */
#include "wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *body = mem_alloc(size);
	struct wire_error e, again;
	struct buf b = {0};

	memcpy(body, data, size);
	(void)wire_tag_rows(body, size);
	if (wire_read_error(body, size, &e) && e.severity && e.sqlstate && e.message) {
		if (e.message < body || e.message + strlen(e.message) >= body + size)
			abort();
		wire_put_error(&b, 'E', e.severity, e.sqlstate, e.message, e.detail, e.hint);
		if (wire_message_size(b.data) != b.len ||
			!wire_read_error(b.data + WIRE_HEADER, b.len - WIRE_HEADER, &again) ||
			strcmp(e.message, again.message) || strcmp(e.severity, again.severity))
			abort();
	}
	buf_free(&b);
	free(body);
	return 0;
}

/* Internal messages from hostile bytes: the first byte is the type, the rest its body.
 *
 * What decodes must encode again to the very same bytes (one form for each message), be freed without leaks, and fit in the limits of the table. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/ipc_msg.h"
#include "common/wire.h"

#include "tests/fuzz/fuzz.h"

static void check_round(enum ipc_type type, struct bytes body, const void *msg)
{
	BUF_CLEANUP struct buf again = BUF_INIT(body.len);

	if (ipc_msg_encode(type, msg, &again) || !wire_same(buf_bytes(&again), body))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_Alignas(max_align_t) uint8_t msg[IPC_STRUCT_MAX];
	struct err err = { "" };

	if (!size)
		return 0;
	struct bytes body = { data + 1, size - 1 };
	if (ipc_msg_decode(data[0], body, msg, &err)) {
		if (!*err.text)
			abort(); /* a refusal without a reason */
		return 0;
	}
	if (ipc_msg_size(data[0]) > sizeof(msg))
		abort();
	check_round(data[0], body, msg);
	ipc_msg_free(data[0], msg);
	return 0;
}

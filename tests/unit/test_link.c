/* Links in a loop: what a peer said before it left is heard, also when a message to it failed first. */
#include "server/role/link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "common/fd.h"

struct heard {
	struct event_base *base;
	unsigned messages, closed;
	const char *why;
};

static void on_message(struct link *link, struct ipc_raw *raw)
{
	struct heard *heard = link->owner;

	assert_int_equal(raw->type, IPC_READY);
	heard->messages++;
}

static void on_closed(struct link *link, const char *why)
{
	struct heard *heard = link->owner;

	heard->closed++;
	heard->why = why;
	link_close(link);
	event_base_loopexit(heard->base, NULL);
}

static const struct link_ops ops = { on_message, on_closed, NULL };

/* The far end says two things and leaves; then something is sent to it, which fails. */
static void talk(struct heard *heard, bool deaf)
{
	struct link link;
	int pair[2];
	*heard = (struct heard){ .base = event_base_new() };
	assert_int_equal(fd_pair(SOCK_SEQPACKET, pair), 0);
	assert_int_equal(link_open(&link, heard->base, pair[0], &ops, heard), 0);
	struct ipc *far = ipc_new(pair[1]);
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(ipc_send(far, IPC_READY, i, &(struct msg_empty){ 0 }, NULL, 0), 0);
	ipc_free(far);
	assert_true(link_send(&link, IPC_READY, 0, &(struct msg_empty){ 0 }, NULL, 0) < 0);
	assert_false(link_up(&link));
	if (deaf)
		link_fail(&link, "broke the protocol");
	event_base_dispatch(heard->base);
	event_base_free(heard->base);
}

static void last_words_are_heard(void **state)
{
	struct heard heard;
	(void)state;
	talk(&heard, false);
	assert_int_equal(heard.messages, 2);
	assert_int_equal(heard.closed, 1);
	assert_string_equal(heard.why, "connection lost");
}

static void a_broken_link_is_deaf(void **state)
{
	struct heard heard;
	(void)state;
	talk(&heard, true);
	assert_int_equal(heard.messages, 0);
	assert_int_equal(heard.closed, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(last_words_are_heard), cmocka_unit_test(a_broken_link_is_deaf) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

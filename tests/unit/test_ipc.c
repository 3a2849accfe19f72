/* Links and messages over real socket pairs: what comes out is what went in; what is malformed is refused and leaks no descriptor. */
#include "common/ipc.h"
#include "common/ipc_msg.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/wire.h"

#include <cmocka.h>

#include "tests/unit/in_range.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct ends { /* two links, or one link and a raw socket for what no honest role sends */
	struct ipc *near, *far;
	int raw;
};

static size_t open_fds(void)
{
	size_t count = 0;
	DIR *dir = opendir("/proc/self/fd");
	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static struct ends ends_open(bool raw)
{
	int pair[2];
	assert_int_equal(fd_pair(SOCK_SEQPACKET, pair), 0);
	struct ends ends = { .near = ipc_new(pair[0]), .far = raw ? NULL : ipc_new(pair[1]), .raw = raw ? pair[1] : -1 };
	assert_non_null(ends.near);
	return ends;
}

static void ends_close(struct ends *ends)
{
	ipc_free(ends->near);
	ipc_free(ends->far);
	fd_closep(&ends->raw);
}

static struct bytes bytes_of(const char *text)
{
	return (struct bytes){ (const uint8_t *)text, strlen(text) };
}

/* ---- links ---- */

static void test_send_and_receive(void **state)
{
	(void)state;
	struct ends ends = ends_open(false);
	struct ipc_raw raw;
	assert_int_equal(ipc_recv(ends.far, &raw), 0);
	assert_int_equal(ipc_send_raw(ends.near, 0x1234, 0xdeadbeef, bytes_of("hello"), NULL, 0), 0);
	assert_int_equal(ipc_send_raw(ends.near, 7, 0, bytes_of(""), NULL, 0), 0);
	assert_false(ipc_pending(ends.near));
	assert_int_equal(ipc_recv(ends.far, &raw), 1);
	assert_int_equal(raw.type, 0x1234);
	assert_int_equal(raw.id, 0xdeadbeef);
	assert_true(wire_equal(raw.body, "hello"));
	assert_int_equal(raw.fd_count, 0);
	assert_int_equal(ipc_recv(ends.far, &raw), 1);
	assert_int_equal(raw.body.len, 0);
	assert_int_equal(ipc_recv(ends.far, &raw), 0);
	ends_close(&ends);
}

static void test_sizes(void **state)
{
	(void)state;
	struct ends ends = ends_open(false);
	struct ipc_raw raw;
	FREE_CLEANUP uint8_t *data = calloc(1, IPC_SIZE_MAX);
	data[IPC_SIZE_MAX - 9] = 42;
	assert_int_equal(ipc_send_raw(ends.near, 1, 1, (struct bytes){ data, IPC_SIZE_MAX - 7 }, NULL, 0), -EMSGSIZE);
	assert_int_equal(ipc_send_raw(ends.near, 1, 1, (struct bytes){ data, IPC_SIZE_MAX - 8 }, NULL, 0), 0);
	assert_int_equal(ipc_recv(ends.far, &raw), 1);
	assert_int_equal(raw.body.len, IPC_SIZE_MAX - 8);
	assert_int_equal(raw.body.data[IPC_SIZE_MAX - 9], 42);
	ends_close(&ends);
}

static void test_descriptors(void **state)
{
	(void)state;
	size_t before = open_fds();
	struct ends ends = ends_open(false);
	struct ipc_raw raw;
	int fds[IPC_FDS_MAX + 1];
	for (size_t i = 0; i < COUNT(fds); i++)
		assert_true((fds[i] = fd_memfd("test", "content", i + 1)) >= 0);
	assert_int_equal(ipc_send_raw(ends.near, 1, 1, bytes_of("x"), fds, IPC_FDS_MAX + 1), -EINVAL);
	assert_int_equal(ipc_send_raw(ends.near, 1, 1, bytes_of("x"), (int[]){ -1 }, 1), -EBADF);
	assert_int_equal(ipc_send_raw(ends.near, 1, 1, bytes_of("x"), (int[]){ 9999 }, 1), -EBADF);
	assert_int_equal(ipc_send_raw(ends.near, 1, 1, bytes_of("x"), fds, IPC_FDS_MAX), 0);
	assert_int_equal(ipc_recv(ends.far, &raw), 1);
	assert_int_equal(raw.fd_count, IPC_FDS_MAX);
	for (size_t i = 0; i < raw.fd_count; i++) {
		assert_int_equal(lseek(raw.fds[i], 0, SEEK_END), i + 1);
		assert_true(fcntl(raw.fds[i], F_GETFD) & FD_CLOEXEC);
	}
	int taken = raw.fds[1];
	raw.fds[1] = -1;
	ipc_raw_close(&raw);
	assert_true(fcntl(taken, F_GETFD) >= 0);
	close(taken);
	for (size_t i = 0; i < COUNT(fds); i++)
		close(fds[i]);
	ends_close(&ends);
	assert_int_equal(open_fds(), before);
}

/* Fills the socket, so that the next messages wait. Returns how many were sent, the last of them queued. */
static unsigned fill(struct ipc *link, const uint8_t *data, size_t len)
{
	unsigned count = 0;
	while (!ipc_pending(link)) {
		assert_int_equal(ipc_send_raw(link, 1, count++, (struct bytes){ data, len }, NULL, 0), 0);
		assert_true(count < 100000);
	}
	return count;
}

static void test_queue_keeps_order(void **state)
{
	(void)state;
	size_t before = open_fds();
	struct ends ends = ends_open(false);
	struct ipc_raw raw;
	FREE_CLEANUP uint8_t *data = calloc(1, 60000);
	unsigned sent = fill(ends.near, data, 60000), got = 0;
	int fd = fd_memfd("test", "content", 7);
	assert_int_equal(ipc_send_raw(ends.near, 1, sent++, bytes_of("with a descriptor"), &fd, 1), 0);
	close(fd); /* the queue has its own */
	assert_int_equal(ipc_flush(ends.near), 0);
	assert_true(ipc_pending(ends.near));
	while (got < sent) {
		int rc = ipc_recv(ends.far, &raw);
		assert_int_equal(ipc_flush(ends.near), 0);
		if (!rc)
			continue;
		assert_int_equal(rc, 1);
		assert_int_equal(raw.id, got++);
	}
	assert_int_equal(raw.fd_count, 1);
	assert_int_equal(lseek(raw.fds[0], 0, SEEK_END), 7);
	ipc_raw_close(&raw);
	assert_false(ipc_pending(ends.near));
	ends_close(&ends);
	assert_int_equal(open_fds(), before);
}

static void test_queue_count_limit(void **state)
{
	(void)state;
	struct ends ends = ends_open(false);
	fill(ends.near, (const uint8_t *)"x", 1);
	for (unsigned i = 1; i < IPC_QUEUE_MAX; i++)
		assert_int_equal(ipc_send_raw(ends.near, 1, i, bytes_of("x"), NULL, 0), 0);
	assert_int_equal(ipc_send_raw(ends.near, 1, 0, bytes_of("x"), NULL, 0), -ENOBUFS);
	assert_true(ipc_pending(ends.near)); /* full, not dead */
	struct ipc_raw raw;
	assert_int_equal(ipc_recv(ends.far, &raw), 1);
	while (ipc_recv(ends.far, &raw) == 1)
		;
	assert_int_equal(ipc_send_raw(ends.near, 1, 0, bytes_of("x"), NULL, 0), 0);
	ends_close(&ends);
}

static void test_queue_bytes_limit(void **state)
{
	(void)state;
	struct ends ends = ends_open(false);
	FREE_CLEANUP uint8_t *data = calloc(1, 100000);
	fill(ends.near, data, 100000);
	unsigned queued = 1;
	int rc;
	while (!(rc = ipc_send_raw(ends.near, 1, 0, (struct bytes){ data, 100000 }, NULL, 0)))
		queued++;
	assert_int_equal(rc, -ENOBUFS);
	assert_int_equal(queued, IPC_QUEUE_BYTES_MAX / 100008);
	ends_close(&ends);
}

/* What was sent before the end is still read; then the end is told. */
static void test_other_end_gone(void **state)
{
	(void)state;
	struct ends ends = ends_open(false);
	struct ipc_raw raw;
	assert_int_equal(ipc_send_raw(ends.far, 1, 1, bytes_of("last words"), NULL, 0), 0);
	ipc_free(ends.far);
	ends.far = NULL;
	assert_int_equal(ipc_send_raw(ends.near, 1, 1, bytes_of("x"), NULL, 0), -EPIPE);
	assert_int_equal(ipc_send_raw(ends.near, 1, 1, bytes_of("x"), NULL, 0), -EPIPE);
	assert_true(ipc_flush(ends.near) < 0);
	assert_false(ipc_pending(ends.near));
	assert_int_equal(ipc_recv(ends.near, &raw), 1);
	assert_int_equal(ipc_recv(ends.near, &raw), -EPIPE);
	ends_close(&ends);
}

static void test_gone_with_queue(void **state)
{
	(void)state;
	size_t before = open_fds();
	struct ends ends = ends_open(false);
	fill(ends.near, (const uint8_t *)"x", 1);
	assert_int_equal(ipc_send_raw(ends.near, 1, 0, bytes_of("x"), (int[]){ 0 }, 1), 0);
	ipc_free(ends.far);
	ends.far = NULL;
	assert_true(ipc_flush(ends.near) < 0);
	assert_false(ipc_pending(ends.near));
	ends_close(&ends);
	assert_int_equal(open_fds(), before);
}

/* The peer sends its last words and ends without having read ours: the kernel says ECONNRESET before it gives them out. */
static void test_last_words(void **state)
{
	struct ends ends = ends_open(false);
	struct ipc_raw raw = { 0 };
	(void)state;
	assert_int_equal(ipc_send(ends.near, IPC_READY, 1, &(struct msg_empty){ 0 }, NULL, 0), 0);
	assert_int_equal(ipc_send(ends.far, IPC_READY, 2, &(struct msg_empty){ 0 }, NULL, 0), 0);
	ipc_free(ends.far);
	ends.far = NULL;
	assert_int_equal(ipc_recv(ends.near, &raw), 1);
	assert_int_equal(raw.id, 2);
	ipc_raw_close(&raw);
	assert_true(ipc_recv(ends.near, &raw) < 0);
	ends_close(&ends);
}

/* ---- what no honest role sends ---- */

static void send_odd(int fd, const void *data, size_t len, const int *fds, size_t fd_count)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * 16)] = { 0 };
	struct iovec iov = { (void *)data, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int room = 2 * IPC_SIZE_MAX; /* a socket takes less by itself; ipc_new() asks for the same */
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	if (fd_count) {
		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
		struct cmsghdr *header = CMSG_FIRSTHDR(&msg);
		*header = (struct cmsghdr){ CMSG_LEN(sizeof(int) * fd_count), SOL_SOCKET, SCM_RIGHTS };
		memcpy(CMSG_DATA(header), fds, sizeof(int) * fd_count);
	}
	assert_int_equal(sendmsg(fd, &msg, MSG_NOSIGNAL), len);
}

static void assert_refused(const void *data, size_t len, size_t fd_count, int expected)
{
	const int fds[16] = { 0 };
	size_t before = open_fds();
	struct ends ends = ends_open(true);
	struct ipc_raw raw = { .type = 77 };
	send_odd(ends.raw, data, len, fds, fd_count);
	assert_int_equal(ipc_recv(ends.near, &raw), expected);
	assert_int_equal(raw.type, 77);
	ends_close(&ends);
	assert_int_equal(open_fds(), before);
}

static void test_malformed(void **state)
{
	(void)state;
	FREE_CLEANUP uint8_t *big = calloc(1, IPC_SIZE_MAX + 1);
	assert_refused("\0\1\0\0\0\0\0", 7, 0, -EBADMSG);       /* no whole header */
	assert_refused("\0\1\0\1\0\0\0\0", 8, 0, -EBADMSG);     /* the zero is not */
	assert_refused("\0\1\1\0\0\0\0\0", 8, 0, -EBADMSG);
	assert_refused("x", 1, 2, -EBADMSG);                    /* descriptors of a bad message are closed */
	assert_refused(big, IPC_SIZE_MAX + 1, 0, -EBADMSG);     /* limit + 1 */
	assert_refused(big, IPC_SIZE_MAX + 1, 3, -EBADMSG);
	assert_refused(big, 8, IPC_FDS_MAX + 1, -EBADMSG);      /* limit + 1 */
	assert_refused(big, 8, 16, -EBADMSG);
	assert_refused("", 0, 0, -EPIPE);                       /* an empty datagram reads like the end */
	assert_refused("", 0, 2, -EPIPE);
}

/* ---- messages ---- */

static int try_decode(unsigned type, const struct buf *body)
{
	_Alignas(max_align_t) uint8_t msg[IPC_STRUCT_MAX];
	int rc = ipc_msg_decode(type, buf_bytes(body), msg, NULL);
	if (!rc)
		ipc_msg_free(type, msg);
	return rc;
}

static void test_table(void **state)
{
	(void)state;
	assert_string_equal(ipc_msg_name(0), "unknown");
	assert_string_equal(ipc_msg_name(IPC_TYPES), "unknown");
	assert_string_equal(ipc_msg_name(UINT32_MAX), "unknown");
	assert_int_equal(ipc_msg_size(0), 0);
	assert_int_equal(ipc_msg_size(IPC_TYPES), 0);
	for (unsigned type = 1; type < IPC_TYPES; type++) {
		assert_string_not_equal(ipc_msg_name(type), "unknown");
		assert_uint_in_range(ipc_msg_size(type), 1, IPC_STRUCT_MAX);
		assert_uint_in_range(ipc_msg_fds_max(type), 0, IPC_FDS_MAX);
		for (unsigned other = 1; other < type; other++)
			assert_string_not_equal(ipc_msg_name(type), ipc_msg_name(other));
	}
}

/* Zeroed structs encode; the encoding decodes to the same encoding; one byte more or less does not decode. */
static void test_every_type_empty(void **state)
{
	(void)state;
	for (unsigned type = 1; type < IPC_TYPES; type++) {
		_Alignas(max_align_t) uint8_t msg[IPC_STRUCT_MAX] = { 0 };
		BUF_CLEANUP struct buf body = BUF_INIT(1000), again = BUF_INIT(1000);
		assert_int_equal(ipc_msg_encode(type, msg, &body), 0);
		assert_int_equal(ipc_msg_decode(type, buf_bytes(&body), msg, NULL), 0);
		assert_int_equal(ipc_msg_encode(type, msg, &again), 0);
		ipc_msg_free(type, msg);
		assert_true(wire_same(buf_bytes(&body), buf_bytes(&again)));
		assert_int_equal(buf_putc(&body, 0), 0);
		assert_int_equal(try_decode(type, &body), -EBADMSG);
		for (body.len--; body.len;) {
			body.len--;
			assert_int_equal(try_decode(type, &body), -EBADMSG);
		}
	}
}

static void test_through_a_link(void **state)
{
	(void)state;
	struct ends ends = ends_open(false);
	struct ipc_raw raw;
	char *keys[] = { "ssh-ed25519 AAAA", "", NULL };
	struct msg_grant out = { .leg = 3, .ok = true, .exit = 70, .reason = "why", .host_keys = keys, .credential = "password", .secret = bytes_of("s\xff"),
		.handshake_ms = UINT32_MAX, .address = "[::1]:22" };
	assert_int_equal(ipc_send(ends.near, IPC_GRANT, 9, &out, (int[]){ 0, 1 }, 2), 0);
	assert_int_equal(ipc_send(ends.near, IPC_GRANT, 9, &out, (int[]){ 0, 1, 2 }, 3), -EINVAL); /* limit + 1 */
	assert_int_equal(ipc_recv(ends.far, &raw), 1);
	assert_int_equal(raw.type, IPC_GRANT);
	assert_int_equal(raw.id, 9);
	assert_int_equal(raw.fd_count, 2);
	ipc_raw_close(&raw);
	struct msg_grant in;
	assert_int_equal(ipc_msg_decode(IPC_GRANT, raw.body, &in, NULL), 0);
	assert_true(in.leg == 3 && in.ok && in.exit == 70 && in.handshake_ms == UINT32_MAX);
	assert_string_equal(in.reason, "why");
	assert_string_equal(in.login, ""); /* NULL travels as empty */
	assert_string_equal(in.host_keys[0], keys[0]);
	assert_string_equal(in.host_keys[1], "");
	assert_null(in.host_keys[2]);
	assert_null(in.allow[0]);
	assert_true(wire_equal(in.secret, "s\xff"));
	assert_string_equal(in.address, "[::1]:22");
	ipc_msg_free(IPC_GRANT, &in);
	assert_null(in.reason);
	ends_close(&ends);
}

static void test_signed_numbers(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf body = BUF_INIT(1000);
	struct msg_channel_end out = { .exit_status = -1, .bytes_out = UINT64_MAX }, in;
	assert_int_equal(ipc_msg_encode(IPC_CHANNEL_END, &out, &body), 0);
	assert_int_equal(ipc_msg_decode(IPC_CHANNEL_END, buf_bytes(&body), &in, NULL), 0);
	assert_true(in.exit_status == -1 && in.bytes_out == UINT64_MAX);
	ipc_msg_free(IPC_CHANNEL_END, &in);
}

/* ---- limits: at the limit, and one beyond, on either side ---- */

static void assert_text(size_t len, int encoded, int decoded)
{
	BUF_CLEANUP struct buf body = BUF_INIT(IPC_SIZE_MAX);
	FREE_CLEANUP char *text = calloc(1, len + 1);
	memset(text, 'a', len);
	assert_int_equal(ipc_msg_encode(IPC_FAILED, &(struct msg_reason){ text }, &body), encoded);
	buf_clear(&body);
	assert_int_equal(wire_put_string(&body, text, len), 0);
	assert_int_equal(try_decode(IPC_FAILED, &body), decoded);
}

static void assert_bytes(size_t len, int encoded, int decoded)
{
	BUF_CLEANUP struct buf body = BUF_INIT(IPC_SIZE_MAX);
	FREE_CLEANUP uint8_t *data = calloc(1, len);
	struct msg_output msg = { .stream = 1, .data = { data, len } };
	assert_int_equal(ipc_msg_encode(IPC_OUTPUT, &msg, &body), encoded);
	buf_clear(&body);
	assert_int_equal(wire_put_u64(&body, 1) | wire_put_string(&body, data, len), 0);
	assert_int_equal(try_decode(IPC_OUTPUT, &body), decoded);
}

static void assert_list(uint32_t count, int encoded, int decoded)
{
	BUF_CLEANUP struct buf body = BUF_INIT(IPC_SIZE_MAX);
	FREE_CLEANUP char **list = calloc(count + 1, sizeof(*list));
	for (uint32_t i = 0; i < count; i++)
		list[i] = "x";
	assert_int_equal(ipc_msg_encode(IPC_SCANNED, &(struct msg_scanned){ .keys = list }, &body), encoded);
	buf_clear(&body);
	assert_int_equal(wire_put_u32(&body, count), 0);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(wire_put_cstring(&body, "x"), 0);
	assert_int_equal(wire_put_cstring(&body, "reason"), 0);
	assert_int_equal(wire_put_cstring(&body, "kex"), 0);
	assert_int_equal(try_decode(IPC_SCANNED, &body), decoded);
}

static void test_limits(void **state)
{
	(void)state;
	assert_text(IPC_TEXT_MAX, 0, 0);
	assert_text(IPC_TEXT_MAX + 1, -EMSGSIZE, -EBADMSG);
	assert_bytes(IPC_OUTPUT_MAX, 0, 0);
	assert_bytes(IPC_OUTPUT_MAX + 1, -EMSGSIZE, -EBADMSG);
	assert_list(IPC_LIST_MAX, 0, 0);
	assert_list(IPC_LIST_MAX + 1, -EMSGSIZE, -EBADMSG);
}

static void test_command_line_limit(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf body = BUF_INIT(IPC_SIZE_MAX);
	FREE_CLEANUP uint8_t *data = calloc(1, IPC_DETAIL_MAX + 1);
	struct msg_access msg = { .detail = { data, IPC_DETAIL_MAX } };
	assert_int_equal(ipc_msg_encode(IPC_ACCESS, &msg, &body), 0);
	assert_int_equal(try_decode(IPC_ACCESS, &body), 0);
	msg.detail.len++;
	buf_clear(&body);
	assert_int_equal(ipc_msg_encode(IPC_ACCESS, &msg, &body), -EMSGSIZE);
}

/* A list whose texts are each in bounds can still be too much for one message. */
static void test_whole_message_limit(void **state)
{
	(void)state;
	struct ends ends = ends_open(false);
	struct ipc_raw raw;
	char text[IPC_TEXT_MAX + 1], *list[IPC_LIST_MAX + 1] = { 0 };
	memset(text, 'a', IPC_TEXT_MAX);
	text[IPC_TEXT_MAX] = 0;
	for (size_t i = 0; i < IPC_LIST_MAX; i++)
		list[i] = text;
	assert_int_equal(ipc_send(ends.near, IPC_SCANNED, 0, &(struct msg_scanned){ .keys = list }, NULL, 0), -EMSGSIZE);
	assert_int_equal(ipc_recv(ends.far, &raw), 0);
	ends_close(&ends);
}

static void test_bad_bodies(void **state)
{
	(void)state;
	struct {
		unsigned type;
		struct bytes body;
		const char *field;
	} bad[] = {
		{ IPC_FAILED, { (const uint8_t *)"\0\0\0\3a\0b", 7 }, "'reason'" },                  /* NUL in a text */
		{ IPC_FAILED, { (const uint8_t *)"\0\0\0\4abc", 7 }, "'reason'" },                   /* beyond the end */
		{ IPC_AUTH, { (const uint8_t *)"\2\0\0\0\0\0\0\0\0", 9 }, "'proved'" },              /* neither false nor true */
		{ IPC_SCANNED, { (const uint8_t *)"\xff\xff\xff\xff\0\0\0\0", 8 }, "'keys'" },       /* a count without its texts */
		{ IPC_SCANNED, { (const uint8_t *)"\0\0\0\2\0\0\0\1x\0\0\0\7y", 14 }, "'keys'" },    /* the second text fails: the first is freed */
		{ IPC_READY, { (const uint8_t *)"x", 1 }, "too many" },
		{ IPC_TYPES, { NULL, 0 }, "unknown type" },
		{ 0, { NULL, 0 }, "unknown type" },
	};
	for (size_t i = 0; i < COUNT(bad); i++) {
		_Alignas(max_align_t) uint8_t msg[IPC_STRUCT_MAX];
		struct err err;
		assert_int_equal(ipc_msg_decode(bad[i].type, bad[i].body, msg, &err), -EBADMSG);
		if (!strstr(err.text, bad[i].field))
			fail_msg("'%s' does not name %s", err.text, bad[i].field);
	}
	assert_int_equal(ipc_msg_encode(IPC_TYPES, "", &BUF_INIT(10)), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_send_and_receive), cmocka_unit_test(test_sizes), cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_queue_keeps_order), cmocka_unit_test(test_queue_count_limit), cmocka_unit_test(test_queue_bytes_limit),
		cmocka_unit_test(test_other_end_gone), cmocka_unit_test(test_gone_with_queue), cmocka_unit_test(test_last_words), cmocka_unit_test(test_malformed), cmocka_unit_test(test_table),
		cmocka_unit_test(test_every_type_empty), cmocka_unit_test(test_through_a_link), cmocka_unit_test(test_signed_numbers),
		cmocka_unit_test(test_limits), cmocka_unit_test(test_command_line_limit), cmocka_unit_test(test_whole_message_limit),
		cmocka_unit_test(test_bad_bodies),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

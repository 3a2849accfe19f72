/* Digests of transcripts. A small file is hashed at once; a large one in slices, one for each turn
 * of the loop, so that nothing else waits for it. */
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/text.h"
#include "server/broker/record/record.h"

#define SLICE (4 * 1024 * 1024)
#define READ_SIZE 65536

struct seal {
	EVP_MD_CTX *digest;
	int fd;
	struct event *next;
	seal_done_fn *done;
	void *context;
	struct seal **slot;
};

static void seal_end(struct seal *seal, bool ok)
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	char hex[2 * EVP_MAX_MD_SIZE + 1];

	ok = ok && EVP_DigestFinal_ex(seal->digest, hash, &len) == 1 &&
	     !text_hex(hex, sizeof(hex), hash, len);
	*seal->slot = NULL;
	seal_done_fn *done = seal->done;
	void *context = seal->context;
	EVP_MD_CTX_free(seal->digest);
	fd_closep(&seal->fd);
	if (seal->next)
		event_free(seal->next);
	free(seal);
	done(context, ok ? hex : NULL);
}

/* Hashes one slice. 1: there is more; 0: end of file; -errno. */
static int slice(struct seal *seal)
{
	char data[READ_SIZE];

	for (size_t total = 0; total < SLICE;) {
		ssize_t n = read(seal->fd, data, sizeof(data));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : 0;
		if (EVP_DigestUpdate(seal->digest, data, (size_t)n) != 1)
			return -ENOMEM;
		total += (size_t)n;
	}
	return 1;
}

static void turn(struct seal *seal)
{
	int rc = slice(seal);

	if (rc > 0 && !evtimer_add(seal->next, &(struct timeval){ .tv_usec = 1000 }))
		return;
	if (rc)
		log_error("a transcript could not be sealed");
	seal_end(seal, rc == 0);
}

static void on_next(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	turn(arg);
}

void seal_finish(struct seal *seal)
{
	int rc;

	while ((rc = slice(seal)) > 0)
		;
	seal_end(seal, rc == 0);
}

int seal_file(struct broker *broker, int folder, const char *name, seal_done_fn *done,
	void *context, struct seal **slot)
{
	struct err err;
	struct seal *seal = calloc(1, sizeof(*seal));

	if (!seal)
		return -ENOMEM;
	*seal = (struct seal){ .fd = transcript_read(folder, name, &err),
		.done = done,
		.context = context,
		.slot = slot };
	seal->digest = EVP_MD_CTX_new();
	seal->next = evtimer_new(broker->base, on_next, seal);
	if (seal->fd < 0 || !seal->digest || !seal->next ||
		EVP_DigestInit_ex(seal->digest, EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(seal->digest);
		if (seal->next)
			event_free(seal->next);
		fd_closep(&seal->fd);
		free(seal);
		return -EIO;
	}
	*slot = seal;
	turn(seal);
	return 0;
}

/* See server/egress/webhook.h. */
#include "server/egress/webhook.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/text.h"

#define CONNECT_MS 5000
#define ANSWER_MS 10000
#define ANSWER_MAX 65536 /* bytes of an answer, of which nothing is read */

struct one {
	struct posts *posts;
	uint32_t id;
	struct http_call *call;
	bool taken;
};

struct posts {
	char *url, *ca; /* ca: PEM; NULL: the system's authorities */
	struct buf file;
	const char *headers[EGRESS_HEADERS_MAX + 1]; /* into file */
	struct http *http;
	post_done_fn *done;
	void *context;
	struct one one[EGRESS_POSTS_MAX];
};

/* ---- headers ---- */

static bool header_ok(const char *line)
{
	size_t name = strcspn(line, ":");

	if (!name || line[name] != ':')
		return false;
	for (const unsigned char *p = (const unsigned char *)line; *p; p++)
		if (*p < ' ' || *p == 0x7f || (p < (const unsigned char *)line + name && *p == ' '))
			return false;
	return true;
}

static int split(struct posts *posts, struct err *err)
{
	size_t count = 0;
	char *text = (char *)(uintptr_t)buf_cstr(&posts->file), *rest = NULL;

	if (!text || strlen(text) != posts->file.len)
		return err_set(err, -EINVAL, "a byte of it is 0");
	for (char *line = strtok_r(text, "\r\n", &rest); line;
		line = strtok_r(NULL, "\r\n", &rest)) {
		if (*line == '#')
			continue;
		if (count == EGRESS_HEADERS_MAX)
			return err_set(err, -E2BIG, "more than %d headers", EGRESS_HEADERS_MAX);
		if (!header_ok(line))
			/* not shown: it may be a secret */
			return err_set(err, -EINVAL, "header %zu is not of the form 'Name: value'",
				count + 1);
		posts->headers[count++] = line;
	}
	return 0;
}

static int headers_read(struct posts *posts, const char *path, struct err *err)
{
	struct stat st;
	int rc = 0;

	if (!path)
		return 0;
	if (stat(path, &st) == 0 && (st.st_mode & 0007))
		rc = err_set(err, -EPERM, "'%s': permissions %04o let everybody at it; chmod o= it",
			path, (unsigned)st.st_mode & 07777);
	rc = rc < 0 ? rc : fd_read_file(AT_FDCWD, path, EGRESS_HEADERS_BYTES, &posts->file, err);
	rc = rc < 0 ? rc : split(posts, err);
	return rc < 0 ? err_prefix(err, rc, "notify.headers_file") : 0;
}

/* ---- posting ---- */

static void on_answer(void *context, const struct http_answer *answer)
{
	struct one *one = context;
	struct posts *posts = one->posts;
	char reason[512] = "";
	bool ok = !answer->failure && answer->status >= 200 && answer->status < 300;

	if (answer->failure)
		snprintf(reason, sizeof(reason), "webhook: %s", answer->failure);
	else if (!ok)
		snprintf(reason, sizeof(reason), "webhook: HTTP %ld", answer->status);
	one->taken = false;
	posts->done(posts->context, one->id, ok, reason);
}

void posts_begin(struct posts *posts, uint32_t id, struct bytes json)
{
	struct err err = { "" };
	struct one *one = NULL;

	for (size_t i = 0; i < EGRESS_POSTS_MAX && !one; i++)
		one = posts->one[i].taken ? NULL : &posts->one[i];
	if (!posts->url || !one) {
		posts->done(posts->context, id, false,
			posts->url ? "webhook: too many at a time"
				   : "webhook: none is configured any more");
		return;
	}
	const struct http_request request = { .url = posts->url,
		.json = (const char *)json.data,
		.headers = posts->headers,
		.ca = posts->ca,
		.allow_http = true,
		.connect_ms = CONNECT_MS,
		.answer_ms = ANSWER_MS,
		.body_max = ANSWER_MAX };
	*one = (struct one){ .posts = posts, .id = id, .taken = true };
	if (http_begin(posts->http, &request, on_answer, one, &one->call, &err) < 0) {
		one->taken = false;
		posts->done(posts->context, id, false, err.text);
	}
}

/* ---- life ---- */

int posts_new(const struct egress_conf *conf, struct posts **ret, struct err *err)
{
	struct posts *posts = calloc(1, sizeof(*posts));

	if (!posts)
		return err_set(err, -ENOMEM, "out of memory");
	posts->file = BUF_INIT(EGRESS_HEADERS_BYTES + 1);
	posts->url = conf->webhook ? strdup(conf->webhook) : NULL;
	posts->ca = conf->webhook_ca ? strdup(conf->webhook_ca) : NULL;
	bool copied = !conf->webhook == !posts->url && !conf->webhook_ca == !posts->ca;
	int rc = copied ? headers_read(posts, conf->webhook_headers, err)
			: err_set(err, -ENOMEM, "out of memory");
	if (rc < 0) {
		posts_free(posts);
		return rc;
	}
	*ret = posts;
	return 0;
}

void posts_start(struct posts *posts, struct http *http, post_done_fn *done, void *context)
{
	posts->http = http;
	posts->done = done;
	posts->context = context;
}

void posts_free(struct posts *posts)
{
	if (!posts)
		return;
	for (size_t i = 0; i < EGRESS_POSTS_MAX; i++)
		http_cancel(&posts->one[i].call);
	buf_burn(&posts->file);
	free(posts->url), free(posts->ca), free(posts);
}

/* See dial.h. libcurl's connect-only mode does name resolution in a thread, IPv6 and IPv4 raced
 * (RFC 8305), and deadlines; we take the connected socket from it.
 *
 * Life of a dial: begun -> done or cancelled; its easy handle belongs to the multi handle all that
 * time. CURLOPT_QUICK_EXIT: without it libcurl joins a resolver thread when a dial ends early, and
 * one dead name server would hold up every other dial; so a thread may outlive its dial by what the
 * resolver's own time-out allows (RES_OPTIONS in egress.c). Nothing comes from the environment: no
 * proxy, no netrc, no redirects; not one byte is sent or read. */
#include "server/egress/dial.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/addr.h"
#include "common/clock.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/text.h"

struct egress_dial {
	TAILQ_ENTRY(egress_dial) entry;
	struct dials *dials;
	uint32_t id;
	CURL *easy;
	char host[ADDR_HOST_MAX];
	uint16_t port;
	uint32_t timeout_ms;
	int family;	   /* AF_INET or AF_INET6 alone; AF_UNSPEC: both */
	struct addr tried; /* last address that a connection was begun to; family 0: none yet */
	char error[CURL_ERROR_SIZE];
};

struct dials {
	struct event_base *base;
	CURLM *multi;
	struct event *timer;
	TAILQ_HEAD(egress_dial_list, egress_dial) list;
	unsigned count;
	uint32_t keepalive_s;
	dial_done_fn *done;
	void *context;
};

static void dial_free(struct egress_dial *dial)
{
	struct dials *dials = dial->dials;

	TAILQ_REMOVE(&dials->list, dial, entry);
	dials->count--;
	if (dial->easy) {
		curl_multi_remove_handle(dials->multi, dial->easy);
		curl_easy_cleanup(dial->easy);
	}
	free(dial);
}

/* ---- the result ---- */

static int option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value));
}

/* A copy of the descriptor: libcurl closes its own, and the connection stays. */
static int socket_take(struct egress_dial *dial, char address[static ADDR_TEXT_MAX])
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);

	curl_socket_t active = CURL_SOCKET_BAD;
	struct addr addr;

	if (curl_easy_getinfo(dial->easy, CURLINFO_ACTIVESOCKET, &active) != CURLE_OK ||
		active == CURL_SOCKET_BAD)
		return -ENOTCONN;
	int fd = fcntl(active, F_DUPFD_CLOEXEC, 3);
	if (fd < 0 || getpeername(fd, (struct sockaddr *)&peer, &len) < 0 ||
		addr_from_sockaddr((struct sockaddr *)&peer, len, &addr) < 0) {
		int rc = errno ? -errno : -ENOTCONN;
		fd_closep(&fd);
		return rc;
	}
	option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (dial->dials->keepalive_s && option(fd, SOL_SOCKET, SO_KEEPALIVE, 1) == 0)
		option(fd, IPPROTO_TCP, TCP_KEEPIDLE, (int)dial->dials->keepalive_s);
	addr_format_port(&addr, address);
	return fd;
}

static const char *plain_errno(long error)
{
	return error == ECONNREFUSED ? "connection refused" : strerror((int)error);
}

static void reason_connect(struct egress_dial *dial, const char *where, char *out, size_t size)
{
	long error = 0;

	curl_easy_getinfo(dial->easy, CURLINFO_OS_ERRNO, &error);
	if (error == ECONNREFUSED)
		snprintf(out, size, "connection refused by %s", where);
	else if (error)
		snprintf(out, size, "cannot connect to %s: %s", where, plain_errno(error));
	else
		snprintf(out, size, "cannot connect to %s: %s", where,
			dial->error[0] ? dial->error : "no reason given");
}

/* In words for the user: what was tried and what happened. */
static void reason_of(struct egress_dial *dial, CURLcode code, char *out, size_t size)
{
	char where[ADDR_HOST_MAX + 16], within[64];

	if (dial->tried.family)
		addr_format_port(&dial->tried, where);
	else
		snprintf(where, sizeof(where), "'%s' port %u", dial->host, dial->port);
	if (code == CURLE_COULDNT_RESOLVE_HOST)
		snprintf(out, size, "cannot resolve '%s'", dial->host);
	else if (code == CURLE_OPERATION_TIMEDOUT && !dial->tried.family)
		snprintf(out, size, "cannot resolve '%s' within %s", dial->host,
			clock_duration_format(dial->timeout_ms, within, sizeof(within)));
	else if (code == CURLE_OPERATION_TIMEDOUT)
		snprintf(out, size, "no answer from %s within %s", where,
			clock_duration_format(dial->timeout_ms, within, sizeof(within)));
	else if (code == CURLE_COULDNT_CONNECT)
		reason_connect(dial, where, out, size);
	else
		snprintf(out, size, "cannot connect to %s: %s", where,
			dial->error[0] ? dial->error : curl_easy_strerror(code));
}

static void dial_finish(struct egress_dial *dial, CURLcode code)
{
	char address[ADDR_TEXT_MAX] = "", reason[1024] = "";
	struct dials *dials = dial->dials;
	uint32_t id = dial->id;
	int fd = -1;

	if (code == CURLE_OK) {
		fd = socket_take(dial, address);
		if (fd < 0)
			snprintf(reason, sizeof(reason), "cannot take the connection to '%s': %s",
				dial->host, strerror(-fd));
	} else {
		reason_of(dial, code, reason, sizeof(reason));
	}
	dial_free(dial);
	dials->done(dials->context, id, fd, address, reason);
}

static void dials_reap(struct dials *dials)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(dials->multi, &left))) {
		struct egress_dial *dial = NULL;
		/* message is gone once the handle is removed */
		CURLcode code = message->data.result;

		if (message->msg == CURLMSG_DONE &&
			curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &dial) ==
				CURLE_OK &&
			dial)
			dial_finish(dial, code);
	}
}

/* ---- libcurl in libevent ---- */

static void on_socket_event(evutil_socket_t fd, short what, void *arg)
{
	struct dials *dials = arg;
	int running, mask = (what & EV_READ ? CURL_CSELECT_IN : 0) |
			    (what & EV_WRITE ? CURL_CSELECT_OUT : 0);

	curl_multi_socket_action(dials->multi, fd, mask, &running);
	dials_reap(dials);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct dials *dials = arg;
	int running;

	curl_multi_socket_action(dials->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	dials_reap(dials);
}

static int want_timer(CURLM *multi, long ms, void *arg)
{
	(void)multi;
	struct dials *dials = arg;
	const struct timeval wait = { .tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000 };

	if (ms < 0)
		evtimer_del(dials->timer);
	else
		evtimer_add(dials->timer, &wait);
	return 0;
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *assigned)
{
	(void)easy;
	struct dials *dials = arg;
	struct event *event = assigned;
	short events = (short)(EV_PERSIST | (what & CURL_POLL_IN ? EV_READ : 0) |
			       (what & CURL_POLL_OUT ? EV_WRITE : 0));

	if (event)
		event_free(event);
	event = what == CURL_POLL_REMOVE
			? NULL
			: event_new(dials->base, fd, events, on_socket_event, dials);
	if (event && event_add(event, NULL) < 0) {
		event_free(event);
		event = NULL;
	}
	curl_multi_assign(dials->multi, fd, event);
	return event || what == CURL_POLL_REMOVE ? 0 : -1;
}

static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
	(void)purpose;
	struct egress_dial *dial = arg;

	/* Newer releases of libcurl obey CURLOPT_IPRESOLVE for names only, not for addresses. */
	if (dial->family != AF_UNSPEC && to->family != dial->family) {
		errno = EAFNOSUPPORT;
		return CURL_SOCKET_BAD;
	}
	addr_from_sockaddr(&to->addr, (socklen_t)to->addrlen, &dial->tried);
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/* ---- begin ---- */

static int wanted_family(const char *family)
{
	if (family && strcmp(family, "ipv4") == 0)
		return AF_INET;
	return family && strcmp(family, "ipv6") == 0 ? AF_INET6 : AF_UNSPEC;
}

static long resolve_family(int family)
{
	if (family == AF_INET)
		return CURL_IPRESOLVE_V4;
	return family == AF_INET6 ? CURL_IPRESOLVE_V6 : CURL_IPRESOLVE_WHATEVER;
}

/* The host becomes part of a URL, so nothing may be in it that means something in one. The
 * configuration was checked for that already; the broker's message is checked again. */
static int dial_url(const char *host, uint16_t port, char *out, size_t size, struct err *err)
{
	char text[ADDR_TEXT_MAX];
	struct addr addr;

	if (!text_target_ok(host, strlen(host)) || !port)
		return err_set(err, -EINVAL, "not a host and port to connect to");
	if (addr_parse(host, &addr, NULL) == 0)
		snprintf(out, size, addr.family == AF_INET6 ? "http://[%s]:%u/" : "http://%s:%u/",
			addr_format(&addr, text), port);
	else if (strchr(host, ':'))
		return err_set(err, -EINVAL, "'%s' is neither a name nor an address", host);
	else
		snprintf(out, size, "http://%s:%u/", host, port);
	return 0;
}

static bool dial_options(struct egress_dial *dial, const char *url)
{
	CURL *easy = dial->easy;
	CURLcode rc = CURLE_OK;
	const struct {
		CURLoption name;
		long value;
	} numbers[] = {
		{ CURLOPT_CONNECT_ONLY, 1 },
		{ CURLOPT_CONNECTTIMEOUT_MS, (long)dial->timeout_ms },
		{ CURLOPT_TIMEOUT_MS, (long)dial->timeout_ms },
		{ CURLOPT_IPRESOLVE, resolve_family(dial->family) },
		{ CURLOPT_NOSIGNAL, 1 },
		{ CURLOPT_FRESH_CONNECT, 1 },
		{ CURLOPT_DNS_CACHE_TIMEOUT, 0 },
		{ CURLOPT_TCP_NODELAY, 1 },
		{ CURLOPT_FOLLOWLOCATION, 0 },
		{ CURLOPT_QUICK_EXIT, 1 },
	};
	const struct {
		CURLoption name;
		const void *value;
	} pointers[] = {
		{ CURLOPT_URL, url },
		{ CURLOPT_PROXY, "" },
		{ CURLOPT_NOPROXY, "*" },
		{ CURLOPT_PROTOCOLS_STR, "http" },
		{ CURLOPT_PRIVATE, dial },
		{ CURLOPT_ERRORBUFFER, dial->error },
		{ CURLOPT_OPENSOCKETDATA, dial },
	};

	for (size_t i = 0; rc == CURLE_OK && i < sizeof(numbers) / sizeof(numbers[0]); i++)
		rc = curl_easy_setopt(easy, numbers[i].name, numbers[i].value);
	for (size_t i = 0; rc == CURLE_OK && i < sizeof(pointers) / sizeof(pointers[0]); i++)
		rc = curl_easy_setopt(easy, pointers[i].name, pointers[i].value);
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
	return rc == CURLE_OK;
}

static struct egress_dial *dial_find(struct dials *dials, uint32_t id)
{
	struct egress_dial *dial;

	TAILQ_FOREACH(dial, &dials->list, entry)
	if (dial->id == id)
		return dial;
	return NULL;
}

static int dial_start(struct dials *dials, uint32_t id, const struct msg_dial *ask, const char *url,
	struct err *err)
{
	struct egress_dial *dial = calloc(1, sizeof(*dial));

	if (!dial)
		return err_set(err, -ENOMEM, "out of memory");
	dial->dials = dials;
	dial->id = id;
	dial->port = (uint16_t)ask->port;
	dial->family = wanted_family(ask->family);
	dial->timeout_ms = ask->timeout_ms == 0 || ask->timeout_ms > EGRESS_DIAL_MS_MAX
				   ? EGRESS_DIAL_MS_MAX
				   : ask->timeout_ms;
	snprintf(dial->host, sizeof(dial->host), "%s", ask->host);
	TAILQ_INSERT_TAIL(&dials->list, dial, entry);
	dials->count++;
	dial->easy = curl_easy_init();
	if (dial->easy && dial_options(dial, url) &&
		curl_multi_add_handle(dials->multi, dial->easy) == CURLM_OK)
		return 0;
	dial_free(dial);
	return err_set(err, -ENOMEM, "cannot begin to connect to '%s'", ask->host);
}

int dials_begin(struct dials *dials, uint32_t id, const struct msg_dial *ask, struct err *err)
{
	char url[ADDR_HOST_MAX + 32];

	if (dials->count >= EGRESS_DIALS_MAX)
		return err_set(
			err, -EAGAIN, "too many connections are being opened at this moment");
	if (dial_find(dials, id))
		return err_set(err, -EEXIST, "that connection is being opened already");
	if (ask->port > UINT16_MAX)
		return err_set(err, -EINVAL, "port %u", (unsigned)ask->port);
	int rc = dial_url(ask->host, (uint16_t)ask->port, url, sizeof(url), err);
	return rc < 0 ? rc : dial_start(dials, id, ask, url, err);
}

void dials_cancel(struct dials *dials, uint32_t id)
{
	struct egress_dial *dial = dial_find(dials, id);

	if (dial)
		dial_free(dial);
}

int dials_new(struct event_base *base, uint32_t keepalive_s, dial_done_fn *done, void *context,
	struct dials **ret, struct err *err)
{
	struct dials *dials = calloc(1, sizeof(*dials));

	if (!dials)
		return err_set(err, -ENOMEM, "out of memory");
	*dials = (struct dials){
		.base = base, .keepalive_s = keepalive_s, .done = done, .context = context
	};
	TAILQ_INIT(&dials->list);
	dials->multi = curl_multi_init();
	dials->timer = evtimer_new(base, on_timer, dials);
	if (!dials->multi || !dials->timer) {
		dials_free(dials);
		return err_set(err, -ENOMEM, "libcurl does not start");
	}
	curl_multi_setopt(dials->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
	curl_multi_setopt(dials->multi, CURLMOPT_SOCKETDATA, dials);
	curl_multi_setopt(dials->multi, CURLMOPT_TIMERFUNCTION, want_timer);
	curl_multi_setopt(dials->multi, CURLMOPT_TIMERDATA, dials);
	*ret = dials;
	return 0;
}

void dials_free(struct dials *dials)
{
	if (!dials)
		return;
	while (!TAILQ_EMPTY(&dials->list))
		dial_free(TAILQ_FIRST(&dials->list));
	if (dials->multi)
		curl_multi_cleanup(dials->multi);
	if (dials->timer)
		event_free(dials->timer);
	free(dials);
}

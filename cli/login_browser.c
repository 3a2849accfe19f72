/* A login in the browser: authorization code with PKCE on a loopback port, or with the redirected
 * address pasted into the terminal.
 *
 * The browser is started with an address of this program, which contains no secret; the first
 * request there is redirected to the provider. So state and nonce appear in no process list. An
 * answer counts only with our state (oidc/pkce.c). */
#include "cli/login.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/fd.h"
#include "common/text.h"
#include "oidc/device.h"

#define START_PATH "/login"
#define CALLBACK_PATH "/callback"
#define ADDRESS_MAX 64 /* length of our own addresses */
#define FORM_MAX 16384

struct browser {
	struct login_provider *provider;
	struct pkce *pkce;
	struct loopback loopback;
	char redirect[ADDRESS_MAX];
	struct buf url;	 /* the provider's address with all parameters */
	struct buf line; /* typed or pasted, until it is complete */
	bool terminal;	 /* standard input is a terminal and has not ended */
	bool sent;	 /* a request was redirected to the provider */
};

/* ---- a browser ---- */

static bool has_display(void)
{
	const char *x11 = getenv("DISPLAY"), *wayland = getenv("WAYLAND_DISPLAY");

	return (x11 && *x11) || (wayland && *wayland);
}

static void start_browser(const struct browser *browser)
{
	char address[ADDRESS_MAX];

	snprintf(
		address, sizeof(address), "http://127.0.0.1:%u" START_PATH, browser->loopback.port);
	pid_t pid = fork();
	if (pid)
		/* not waited for: if it fails, the address is on the terminal */
		return;
	int null = open("/dev/null", O_RDWR);
	if (null < 0 || setsid() < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
		_exit(127);
	execlp("xdg-open", "xdg-open", address, (char *)NULL);
	_exit(127);
}

static void tell(struct browser *browser, bool opened)
{
	fprintf(stderr, "%s\n  %s\n",
		opened ? "Your browser opens for the login. If it does not, open this address:"
		       : "Open this address in a browser:",
		buf_cstr(&browser->url));
	if (browser->terminal)
		fprintf(stderr, "If the browser runs on another machine, it ends at an address "
				"that it cannot show: paste that address here.\n");
}

/* ---- the answer ---- */

/* Handles a request on the port. 1: the code was received; 0: continue; negative: the login has
 * failed. */
static int on_request(struct browser *browser, struct err *err)
{
	struct loopback_request request;

	if (loopback_take(&browser->loopback, &request))
		return 0;
	if (!browser->sent && request.target_len == strlen(START_PATH) &&
		!memcmp(request.target, START_PATH, request.target_len)) {
		browser->sent = true;
		loopback_answer(&request, "302 Found", buf_cstr(&browser->url),
			"The login is at the provider.");
		return 0;
	}
	int rc = request.target ? pkce_callback(browser->pkce, browser->provider->discovery,
					  CALLBACK_PATH, request.target, request.target_len, err)
				: 0;
	if (rc > 0)
		loopback_answer(&request, "200 OK", NULL,
			"The login was passed to bartizan. You may close this page; the result is "
			"on the terminal.");
	else if (rc < 0)
		loopback_answer(&request, "400 Bad Request", NULL,
			"The login has failed; the reason is on the terminal.");
	else
		loopback_answer(&request, "404 Not Found", NULL, "There is nothing here.");
	return rc;
}

/* A pasted address at which the browser ended; only path and query count. */
static int on_pasted(struct browser *browser, const char *line, size_t len, struct err *err)
{
	const char *at = memmem(line, len, CALLBACK_PATH "?", strlen(CALLBACK_PATH "?"));
	size_t before = at ? (size_t)(at - line) : len;

	while (len > before && (line[len - 1] == ' ' || line[len - 1] == '\r'))
		len--;
	int rc = at ? pkce_callback(browser->pkce, browser->provider->discovery, CALLBACK_PATH, at,
			      len - before, err)
		    : 0;
	if (!rc && len)
		fprintf(stderr,
			"That is not the address where this login ends; it begins with %s\n",
			browser->redirect);
	return rc;
}

static int on_typed(struct browser *browser, struct err *err)
{
	uint8_t chunk[PKCE_REQUEST_MAX];
	ssize_t got = read(STDIN_FILENO, chunk, sizeof(chunk));
	int rc = 0;

	if (got <= 0)
		browser->terminal = false;
	for (ssize_t i = 0; i < got && !rc; i++) {
		if (chunk[i] != '\n') {
			if (buf_putc(&browser->line, chunk[i]))
				buf_burn(&browser->line); /* too long to be the address */
			continue;
		}
		rc = on_pasted(
			browser, (const char *)buf_data(&browser->line), browser->line.len, err);
		buf_clear(&browser->line);
	}
	text_burn(chunk, sizeof(chunk));
	return rc;
}

static int wait_for_code(struct browser *browser, struct err *err)
{
	int64_t end = clock_mono_ms() + browser->provider->wait_ms;
	char limit[64];
	int rc = 0;

	while (!rc) {
		struct pollfd wait[] = { { browser->loopback.listener, POLLIN, 0 },
			{ browser->terminal ? STDIN_FILENO : -1, POLLIN, 0 } };
		int64_t left = end - clock_mono_ms();
		if (left <= 0)
			return err_set(err, -ETIMEDOUT, "nobody has logged in within %s",
				clock_duration_format(
					browser->provider->wait_ms, limit, sizeof(limit)));
		if (poll(wait, 2, (int)left) < 0 && errno != EINTR)
			return err_set(err, -errno, "poll: %s", strerror(errno));
		if (wait[0].revents)
			rc = on_request(browser, err);
		if (!rc && wait[1].revents)
			rc = on_typed(browser, err);
	}
	return rc < 0 ? rc : 0;
}

/* ---- the code for a token ---- */

struct redeemed {
	struct buf *token;
	int rc;
	struct err err;
};

static int refused(const struct http_answer *answer, const json_t *object, struct err *err)
{
	const char *error = json_get_string(object, "error"),
		   *words = json_get_string(object, "error_description");
	char shown[64], more[256];

	if (!error)
		return err_set(err, -EACCES, "the provider answers HTTP %ld", answer->status);
	text_clean(shown, sizeof(shown), error, strlen(error));
	if (!words)
		return err_set(err, -EACCES, "the provider refused the code: %s", shown);
	return err_set(err, -EACCES, "the provider refused the code: %s: %s", shown,
		text_clean(more, sizeof(more), words, strlen(words)));
}

static int take_token(const struct http_answer *answer, struct buf *ret, struct err *err)
{
	JSON_CLEANUP json_t *object = NULL;

	if (answer->failure)
		return err_set(err, -EIO, "%s", answer->failure);
	if (http_answer_is_json(answer) &&
		json_parse(answer->body, DEVICE_ANSWER_MAX, &object, err) && answer->status == 200)
		return err_prefix(err, -EBADMSG, "the provider's answer");
	if (answer->status != 200)
		return refused(answer, object, err);
	const char *token = json_get_string(object, "id_token");
	if (!token)
		return err_set(err, -EBADMSG, "the provider sent no ID token");
	return buf_puts(ret, token)
		       ? err_set(err, -EBADMSG, "the ID token is larger than %zu bytes", ret->max)
		       : 0;
}

static void on_redeemed(void *context, const struct http_answer *answer)
{
	struct redeemed *redeemed = context;

	redeemed->rc = take_token(answer, redeemed->token, &redeemed->err);
}

static int redeem(struct browser *browser, struct buf *ret, struct err *err)
{
	const struct login_provider *provider = browser->provider;
	struct redeemed redeemed = { .token = ret };
	struct buf form = BUF_INIT(FORM_MAX);
	int rc = pkce_form(browser->pkce, provider->conf->client_id, browser->redirect, &form);

	if (rc || !buf_cstr(&form))
		rc = err_set(err, -EMSGSIZE, "the provider's code is too long");
	else
		rc = login_provider_ask(browser->provider, provider->discovery->token,
			buf_cstr(&form), on_redeemed, &redeemed, err);
	buf_burn(&form);
	if (rc || !redeemed.rc)
		return rc;
	return err_set(err, redeemed.rc, "%s", redeemed.err.text);
}

static int ask(struct browser *browser, bool open_browser, struct buf *ret, struct err *err)
{
	const struct login_provider *provider = browser->provider;

	snprintf(browser->redirect, sizeof(browser->redirect), "http://127.0.0.1:%u" CALLBACK_PATH,
		browser->loopback.port);
	int rc = pkce_url(browser->pkce, provider->discovery, provider->conf->client_id,
		browser->redirect, provider->conf->scopes, provider->max_age_s, &browser->url);
	if (rc || !buf_cstr(&browser->url))
		return err_set(err, -EMSGSIZE, "the provider's address is too long");
	if (open_browser)
		start_browser(browser);
	tell(browser, open_browser);
	rc = wait_for_code(browser, err);
	return rc ? rc : redeem(browser, ret, err);
}

int login_by_browser(struct login_provider *provider, bool open_browser, struct pkce *pkce,
	struct buf *ret, struct err *err)
{
	struct browser browser = {
		.provider = provider,
		.pkce = pkce,
		.loopback = { .listener = -1 },
		.url = BUF_INIT(FORM_MAX),
		.line = BUF_INIT(PKCE_REQUEST_MAX + ADDRESS_MAX),
		.terminal = isatty(STDIN_FILENO),
	};

	if (!provider->discovery->authorization)
		return err_set(
			err, -ENOTSUP, "the provider has no logins in a browser: try '--device'");
	if (!provider->discovery->s256)
		return err_set(err, -ENOTSUP,
			"the provider does not know PKCE with S256, without which a login in a "
			"browser is not safe");
	int rc = loopback_open(provider->conf->callback_port, &browser.loopback, err);
	if (!rc)
		rc = ask(&browser, open_browser && has_display(), ret, err);
	loopback_close(&browser.loopback);
	buf_burn(&browser.url);
	buf_burn(&browser.line);
	return rc;
}

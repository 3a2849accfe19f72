/* See device.h. */
#include "oidc/device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/log.h"
#include "common/text.h"
#include "common/url.h"
#include "oidc/form.h"

#define GRANT_TYPE "urn:ietf:params:oauth:grant-type:device_code"
#define SLOW_DOWN_MS 5000
#define DESCRIPTION_MAX 256
#define SECONDS_DIGITS 18      /* of a number as text */
#define SECONDS_MAX 1000000000 /* more is not told apart */

const char *device_state_name(enum device_state state)
{
	static const char *const names[] = { "starting", "waiting", "done", "failed" };

	return names[state];
}

/* Rows: from, columns: to. */
static const bool allowed[4][4] = {
	[DEVICE_STARTING] = { [DEVICE_WAITING] = true, [DEVICE_FAILED] = true },
	[DEVICE_WAITING] = { [DEVICE_WAITING] = true,
		[DEVICE_DONE] = true,
		[DEVICE_FAILED] = true },
};

static bool device_set(struct device *device, enum device_state state)
{
	if (!allowed[device->state][state])
		return false;
	if (device->state != state)
		log_debug("device flow: %s -> %s", device_state_name(device->state),
			device_state_name(state));
	device->state = state;
	return true;
}

static void secret_free(char **text)
{
	if (*text)
		text_burn(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

int device_init(struct device *device, struct err *err)
{
	*device = (struct device){ .state = DEVICE_STARTING, .interval_ms = DEVICE_INTERVAL_MS };
	return pkce_pair(device->verifier, device->challenge, err);
}

void device_release(struct device *device)
{
	secret_free(&device->device_code);
	text_burn(device->verifier, sizeof(device->verifier));
	secret_free(&device->user_code);
	secret_free(&device->uri_complete);
	secret_free(&device->id_token);
	secret_free(&device->access_token);
	free(device->uri);
	device->uri = NULL;
}

/* Visible form, but with "?" for its backslashes: it stays as it is, however often it is made
 * visible again on its way to a terminal or a log. */
void device_fail(struct device *device, const char *kind, const char *reason)
{
	if (!device_set(device, DEVICE_FAILED))
		return;
	device->kind = kind;
	text_clean(device->reason, sizeof(device->reason), reason, strlen(reason));
	for (char *p = device->reason; *p; p++)
		if (*p == '\\')
			*p = '?';
	secret_free(&device->device_code);
}

/* ---- requests ---- */

int device_form(const struct device *device, const char *client_id, char *const *scopes,
	int64_t max_age, struct buf *form)
{
	int rc = url_form_put(form, "client_id", client_id);

	if (rc == 0)
		rc = form_put_scopes(form, scopes, max_age);
	if (rc == 0)
		rc = url_form_put(form, "code_challenge", device->challenge);
	return rc < 0 ? rc : url_form_put(form, "code_challenge_method", "S256");
}

int device_poll_form(const struct device *device, const char *client_id, struct buf *form)
{
	int rc = url_form_put(form, "grant_type", GRANT_TYPE);

	if (rc == 0)
		rc = url_form_put(form, "device_code", device->device_code);
	if (rc == 0)
		rc = url_form_put(form, "code_verifier", device->verifier);
	return rc < 0 || !client_id ? rc : url_form_put(form, "client_id", client_id);
}

/* ---- answers ---- */

/* Printable ASCII of 1 to max bytes; NULL otherwise. */
static const char *printable(const json_t *object, const char *key, size_t max)
{
	const json_t *value = json_object_get(object, key);
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);

	if (!text || !len || len > max)
		return NULL;
	for (size_t i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] > '~')
			return NULL;
	return text;
}

/* What an OAuth error says: "invalid_client: no such client"; made harmless by device_fail(). The
 * caller has seen that there is an error. */
static void describe(const json_t *object, char *out, size_t size)
{
	const char *error = json_get_string(object, "error"),
		   *description = json_get_string(object, "error_description");

	snprintf(out, size, "%.64s%s%.*s", *error ? error : "an error without a name",
		description ? ": " : "", DESCRIPTION_MAX, description ? description : "");
}

/* The answer as an object, whatever its status; NULL with the reason where it is none. */
static json_t *object_of(const struct http_answer *answer, struct err *err)
{
	json_t *object = NULL;

	if (answer->failure) {
		err_set(err, -EIO, "%s", answer->failure);
		return NULL;
	}
	if (!http_answer_is_json(answer) ||
		json_parse(answer->body, DEVICE_ANSWER_MAX, &object, err) < 0) {
		if (answer->status != 200)
			err_set(err, -EIO, "the provider answers HTTP %ld", answer->status);
		else if (!http_answer_is_json(answer))
			err_set(err, -EBADMSG, "the provider's answer is not JSON");
		return NULL;
	}
	if (json_is_object(object))
		return object;
	json_decref(object);
	err_set(err, -EBADMSG, "the provider's answer is not a JSON object");
	return NULL;
}

/* Whether asking again later may help. */
static bool transient(const struct http_answer *answer)
{
	return answer->failure ? answer->transient : answer->status >= 500 || answer->status == 429;
}

/* An address that may be shown; NULL otherwise. */
static const char *address(const json_t *object, const char *key, bool allow_http)
{
	const char *uri = printable(object, key, URL_MAX);

	return uri && url_check(uri, allow_http, NULL, NULL) == 0 ? uri : NULL;
}

/* Seconds, as providers spell them: 5, 5.0, 5.9 and "5" are five. False: none of these, or below
 * zero. Whoever sends 1e300 means "long". */
static bool seconds(const json_t *object, const char *key, int64_t *ret)
{
	const json_t *value = json_object_get(object, key);
	const char *text = json_string_value(value);
	double number = json_number_value(value);

	if (text && *text && strlen(text) <= SECONDS_DIGITS &&
		text[strspn(text, "0123456789")] == '\0')
		number = (double)strtoll(text, NULL, 10);
	else if (!json_is_number(value))
		return false;
	if (number < 0)
		return false;
	*ret = number < SECONDS_MAX ? (int64_t)number : SECONDS_MAX;
	return true;
}

/* verification_url: Google's spelling, older than the RFC. */
static const char *take_code(struct device *device, const json_t *object, bool allow_http)
{
	const char *code = printable(object, "device_code", DEVICE_CODE_MAX),
		   *user_code = printable(object, "user_code", DEVICE_USER_CODE_MAX);
	const char *uri = address(object, "verification_uri", allow_http),
		   *complete = address(object, "verification_uri_complete", allow_http);

	uri = uri ? uri : address(object, "verification_url", allow_http);
	if (!code)
		return "the provider's answer has no usable device_code";
	if (!user_code)
		return "the provider's answer has no usable user_code";
	if (!uri)
		return "the provider's answer has no usable verification_uri";
	device->device_code = strdup(code);
	device->user_code = strdup(user_code);
	device->uri = strdup(uri);
	device->uri_complete = complete ? strdup(complete) : NULL;
	return device->device_code && device->user_code && device->uri &&
			       (!complete || device->uri_complete)
		       ? NULL
		       : "out of memory";
}

static const char *take_times(struct device *device, const json_t *object, int64_t now)
{
	int64_t expires = 0, interval = 0;

	if (!seconds(object, "expires_in", &expires) || !expires)
		return "the provider's answer has no usable expires_in";
	device->expires_s = expires < DEVICE_EXPIRES_S_MAX ? expires : DEVICE_EXPIRES_S_MAX;
	device->expires = now + device->expires_s * 1000;
	if (seconds(object, "interval", &interval))
		device->interval_ms = interval < 1 ? 1000 : interval * 1000;
	if (device->interval_ms > DEVICE_INTERVAL_MS_MAX)
		device->interval_ms = DEVICE_INTERVAL_MS_MAX;
	device->next = now + device->interval_ms;
	return NULL;
}

void device_started(
	struct device *device, const struct http_answer *answer, bool allow_http, int64_t now)
{
	struct err err = { "" };
	JSON_CLEANUP json_t *object = object_of(answer, &err);
	char words[DESCRIPTION_MAX + 128];
	const char *wrong;

	if (!object) {
		device_fail(device, transient(answer) ? "unreachable" : "refused", err.text);
		return;
	}
	if (json_get_string(object, "error")) {
		describe(object, words, sizeof(words));
		device_fail(device, transient(answer) ? "unreachable" : "refused", words);
		return;
	}
	if (answer->status != 200) {
		snprintf(words, sizeof(words), "the provider answers HTTP %ld", answer->status);
		device_fail(device, transient(answer) ? "unreachable" : "refused", words);
		return;
	}
	wrong = take_code(device, object, allow_http);
	wrong = wrong ? wrong : take_times(device, object, now);
	if (wrong)
		device_fail(device, "refused", wrong);
	else
		device_set(device, DEVICE_WAITING);
}

static void poll_again(struct device *device, int64_t in_ms, int64_t now)
{
	device_set(device, DEVICE_WAITING);
	device->next = now + in_ms;
	if (device->next > device->expires) /* then device_expire() speaks */
		device->next = device->expires;
}

/* RFC 8628 section 3.5: on a time-out, and here on any loss, the interval doubles, until an answer
 * comes. */
static void poll_lost(struct device *device, const char *why, int64_t now)
{
	int64_t wait = device->interval_ms;

	device->lost++;
	for (unsigned i = 1; i < device->lost && wait < DEVICE_INTERVAL_MS_MAX; i++)
		wait *= 2;
	/* raw: device_fail() is what people see */
	snprintf(device->reason, sizeof(device->reason), "%s", why);
	poll_again(device, wait < DEVICE_INTERVAL_MS_MAX ? wait : DEVICE_INTERVAL_MS_MAX, now);
}

bool device_expire(struct device *device, int64_t now)
{
	char words[sizeof(device->reason) + 64];

	if (device->state != DEVICE_WAITING || now < device->expires)
		return false;
	if (device->lost) {
		snprintf(words, sizeof(words),
			"the code has expired while the provider was out of reach: %s",
			device->reason);
		device_fail(device, "unreachable", words);
	} else {
		device_fail(device, "expired", "the code has expired");
	}
	return true;
}

static void on_pending(struct device *device, int64_t now)
{
	poll_again(device, device->interval_ms, now);
}

static void on_slow_down(struct device *device, int64_t now)
{
	device->interval_ms += SLOW_DOWN_MS;
	if (device->interval_ms > DEVICE_INTERVAL_MS_MAX)
		device->interval_ms = DEVICE_INTERVAL_MS_MAX;
	poll_again(device, device->interval_ms, now);
}

static void on_denied(struct device *device, int64_t now)
{
	(void)now;
	device_fail(device, "denied", "the login was denied");
}

static void on_expired(struct device *device, int64_t now)
{
	(void)now;
	device_fail(device, "expired", "the code has expired");
}

static const struct {
	const char *error;
	void (*handle)(struct device *device, int64_t now);
} errors[] = {
	{ "authorization_pending", on_pending },
	{ "slow_down", on_slow_down },
	{ "access_denied", on_denied },
	{ "expired_token", on_expired },
};

static void polled_error(
	struct device *device, const struct http_answer *answer, const json_t *object, int64_t now)
{
	const char *error = json_get_string(object, "error");
	char words[DESCRIPTION_MAX + 128];

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (strcmp(errors[i].error, error) == 0) {
			device->lost = 0;
			errors[i].handle(device, now);
			return;
		}
	describe(object, words, sizeof(words));
	if (transient(answer))
		poll_lost(device, words, now);
	else
		device_fail(device, "refused", words);
}

static void polled_tokens(struct device *device, const json_t *object)
{
	const json_t *id_token = json_object_get(object, "id_token");
	const char *token = printable(object, "id_token", DEVICE_TOKEN_MAX),
		   *access = printable(object, "access_token", DEVICE_TOKEN_MAX);

	if (!id_token) {
		device_fail(device, "refused",
			"the provider sent no ID token; is the scope openid allowed for this "
			"client?");
	} else if (json_string_length(id_token) > DEVICE_TOKEN_MAX) {
		device_fail(device, "refused",
			"the ID token is larger than 16 KiB; let the provider put fewer groups "
			"into it");
	} else if (!token) {
		device_fail(device, "refused", "the provider sent no usable ID token");
	} else {
		device->id_token = strdup(token);
		device->access_token = access ? strdup(access) : NULL;
		if (!device->id_token)
			device_fail(device, "refused", "out of memory");
		else if (device_set(device, DEVICE_DONE))
			secret_free(&device->device_code);
	}
}

void device_polled(struct device *device, const struct http_answer *answer, int64_t now)
{
	struct err err = { "" };
	JSON_CLEANUP json_t *object = NULL;
	char words[64];

	if (device->state != DEVICE_WAITING)
		return;
	object = object_of(answer, &err);
	if (!object && transient(answer)) {
		poll_lost(device, err.text, now);
	} else if (!object) {
		device_fail(device, "refused", err.text);
	} else if (json_get_string(object, "error")) {
		polled_error(device, answer, object, now);
	} else if (answer->status == 200) {
		polled_tokens(device, object);
	} else {
		snprintf(words, sizeof(words), "the provider answers HTTP %ld", answer->status);
		transient(answer) ? poll_lost(device, words, now)
				  : device_fail(device, "refused", words);
	}
}

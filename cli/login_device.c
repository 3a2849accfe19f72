/* A login with a link and a code, for machines without a browser: the device flow. */
#include "cli/login.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "oidc/device.h"

#define FORM_MAX 16384

static void on_started(void *context, const struct http_answer *answer)
{
	device_started(context, answer, false, clock_mono_ms());
}

static void on_polled(void *context, const struct http_answer *answer)
{
	device_polled(context, answer, clock_mono_ms());
}

static int start(struct login_provider *provider, struct device *device, struct err *err)
{
	BUF_CLEANUP struct buf form = BUF_INIT(FORM_MAX);
	int rc = device_form(device, provider->conf->client_id, provider->conf->scopes,
		provider->max_age_s, &form);

	if (rc || !buf_cstr(&form))
		return err_set(err, -EMSGSIZE, "the request is too long");
	return login_provider_ask(
		provider, provider->discovery->device, buf_cstr(&form), on_started, device, err);
}

static int ask_again(struct login_provider *provider, struct device *device, struct err *err)
{
	struct buf form = BUF_INIT(FORM_MAX);
	int rc = device_poll_form(device, provider->conf->client_id, &form);

	if (rc || !buf_cstr(&form))
		rc = err_set(err, -EMSGSIZE, "the request is too long");
	else
		rc = login_provider_ask(provider, provider->discovery->token, buf_cstr(&form),
			on_polled, device, err);
	buf_burn(&form);
	return rc;
}

/* Addresses and code are printable ASCII: oidc/device.c has checked them. */
static void show(const struct device *device)
{
	fprintf(stderr, "Open %s\nand enter the code %s\n", device->uri, device->user_code);
	if (device->uri_complete)
		fprintf(stderr, "or open %s\n", device->uri_complete);
	fprintf(stderr, "Waiting until you have logged in. Ctrl-C ends this.\n");
}

static void wait_until(int64_t time)
{
	for (int64_t now = clock_mono_ms(); now < time; now = clock_mono_ms())
		poll(NULL, 0, (int)(time - now));
}

int login_by_device(struct login_provider *provider, struct buf *ret, struct err *err)
{
	struct device device;

	if (!provider->discovery->device)
		return err_set(
			err, -ENOTSUP, "the provider has no logins by code: leave out '--device'");
	int rc = device_init(&device, err);
	if (!rc)
		rc = start(provider, &device, err);
	if (!rc && device.state == DEVICE_WAITING)
		show(&device);
	while (!rc && device.state == DEVICE_WAITING) {
		wait_until(device.next);
		if (!device_expire(&device, clock_mono_ms()))
			rc = ask_again(provider, &device, err);
	}
	if (!rc && device.state != DEVICE_DONE)
		rc = err_set(err, -EACCES, "%s", device.reason);
	if (!rc)
		rc = buf_puts(ret, device.id_token);
	device_release(&device);
	return rc;
}

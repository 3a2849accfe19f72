/* What a provider, or a stranger on the loopback port of a login, may send: discovery documents,
 * device flow answers, callbacks, URLs. The first byte says which. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/text.h"
#include "common/url.h"
#include "oidc/device.h"
#include "oidc/discovery.h"
#include "oidc/pkce.h"

#include "tests/fuzz/fuzz.h"

static void one_discovery(struct bytes text)
{
	struct discovery *discovery = NULL;
	struct err err = { "" };

	if (discovery_parse(text, "https://idp.example", false, &discovery, &err) < 0) {
		REQUIRE(err.text[0]);
		return;
	}
	const char *const addresses[] = { discovery->jwks, discovery->token, discovery->device,
		discovery->authorization, discovery->userinfo };
	REQUIRE(discovery->jwks &&
		(discovery->token || (!discovery->device && !discovery->authorization)));
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		REQUIRE(!addresses[i] || strncasecmp(addresses[i], "https://", 8) == 0);
	discovery_free(discovery);
}

static struct http_answer answer_of(struct bytes text, long status)
{
	return (struct http_answer){
		.status = status, .content_type = "application/json", .body = text
	};
}

static void one_start(struct bytes text)
{
	const struct http_answer answer = answer_of(text, 200);
	struct device device;

	device_init(&device, NULL);
	device_started(&device, &answer, false, 0);
	REQUIRE(device.state == DEVICE_WAITING || device.state == DEVICE_FAILED);
	if (device.state == DEVICE_WAITING)
		REQUIRE(device.interval_ms >= 1000 &&
			device.interval_ms <= DEVICE_INTERVAL_MS_MAX && device.expires_s > 0 &&
			device.expires_s <= DEVICE_EXPIRES_S_MAX);
	for (const char *p = device.state == DEVICE_WAITING ? device.user_code : ""; *p; p++)
		REQUIRE(*p >= ' ' && *p <= '~');
	device_release(&device);
}

static void one_poll(struct bytes text)
{
	static const char started[] = "{\"device_code\":\"d\",\"user_code\":\"A\",\"verification_"
				      "uri\":\"https://x\",\"expires_in\":600}";
	const struct http_answer begin = answer_of((struct bytes){ (const uint8_t *)started,
							   sizeof(started) - 1 },
					 200),
				 poll = answer_of(text, 400), done = answer_of(text, 200);
	struct device device;

	device_init(&device, NULL);
	device_started(&device, &begin, false, 0);
	device_polled(&device, &poll, 5000);
	REQUIRE(device.state != DEVICE_DONE);
	device_polled(&device, &done, 10000);
	if (device.state == DEVICE_WAITING)
		REQUIRE(device.next > 10000 && device.next <= device.expires);
	if (device.state == DEVICE_FAILED)
		REQUIRE(device.kind && device.reason[0] &&
			text_utf8_valid(device.reason, strlen(device.reason)));
	device_release(&device);
}

static void one_callback(struct bytes text)
{
	static const uint8_t random[64] = { [32] = 1 };
	struct discovery discovery = { .issuer = (char *)(uintptr_t) "https://idp.example" };
	struct pkce pkce;
	struct err err = { "" };

	pkce_init_from(&pkce, (struct bytes){ random, sizeof(random) }, random);
	int rc = pkce_callback(
		&pkce, &discovery, "/callback", (const char *)text.data, text.len, &err);
	REQUIRE((rc == 1) == (pkce.code[0] != '\0'));
	REQUIRE(rc >= 0 || err.text[0]);
}

static void one_url(struct bytes text)
{
	struct buf copy = BUF_INIT(1 << 20), escaped = BUF_INIT(4 << 20), back = BUF_INIT(1 << 20);
	struct url url;

	if (buf_put(&copy, text.data, text.len) == 0 && buf_cstr(&copy) &&
		url_parse(buf_cstr(&copy), &url, NULL) == 0)
		REQUIRE(url.port && text_target_ok(url.host, strlen(url.host)));
	REQUIRE(url_escape(&escaped, (const char *)text.data, text.len) == 0 &&
		url_unescape(&back, (const char *)buf_data(&escaped), escaped.len) == 0);
	REQUIRE(back.len == text.len && memcmp(buf_data(&back), text.data, text.len) == 0);
	buf_release(&copy);
	buf_release(&escaped);
	buf_release(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const kinds[])(
		struct bytes) = { one_discovery, one_start, one_poll, one_callback, one_url };

	if (size > 0)
		kinds[data[0] % 5]((struct bytes){ data + 1, size - 1 });
	return 0;
}

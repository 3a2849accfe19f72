/* See url.h. Parsed by hand: what follows a URL later (libcurl) gets only what this has accepted.
 */
#include "common/url.h"

#include <errno.h>
#include <string.h>

#include "common/text.h"

static const char unreserved[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
static const char reserved[] = ":/?[]@!$&'()*+,;=%";

static int scheme(const char **text, struct url *ret, struct err *err)
{
	if (strncmp(*text, "https://", 8) == 0) {
		ret->tls = true;
		*text += 8;
		return 0;
	}
	if (strncmp(*text, "http://", 7) == 0) {
		*text += 7;
		return 0;
	}
	return err_set(err, -EINVAL, "the URL begins with neither https:// nor http://");
}

static bool is_loopback(const char *host)
{
	struct addr addr;

	if (strcmp(host, "localhost") == 0)
		return true;
	if (addr_parse(host, &addr, NULL) < 0)
		return false;
	static const uint8_t six[16] = { [15] = 1 };
	return addr.family == AF_INET ? addr.ip[0] == 127 : memcmp(addr.ip, six, sizeof(six)) == 0;
}

int url_parse(const char *text, struct url *ret, struct err *err)
{
	struct url url = { 0 };
	char authority[ADDR_HOST_MAX + 16];
	size_t len = strlen(text);

	if (len > URL_MAX)
		return err_set(err, -EINVAL, "the URL is longer than %d bytes", URL_MAX);
	for (size_t i = 0; i < len; i++)
		if (!strchr(unreserved, text[i]) && !strchr(reserved, text[i]))
			return err_set(err, -EINVAL,
				"the URL contains a character that is not allowed in it");
	int rc = scheme(&text, &url, err);
	if (rc < 0)
		return rc;
	len = strcspn(text, "/?");
	if (len == 0 || len >= sizeof(authority))
		return err_set(err, -EINVAL, "the URL has no host");
	memcpy(authority, text, len);
	authority[len] = '\0';
	if (strchr(authority, '@'))
		return err_set(err, -EINVAL, "the URL contains a user name");
	if (addr_split_host_port(authority, url.tls ? 443 : 80, url.host, &url.port, NULL) < 0 ||
		!text_target_ok(url.host, strlen(url.host)) ||
		(strchr(url.host, ':') && authority[0] != '['))
		return err_set(err, -EINVAL, "the URL's host or port is malformed");
	url.loopback = is_loopback(url.host);
	url.rest = text + len;
	*ret = url;
	return 0;
}

int url_check(const char *text, bool allow_http, struct url *ret, struct err *err)
{
	struct url url;
	int rc = url_parse(text, &url, err);

	if (rc < 0)
		return rc;
	if (!url.tls && !url.loopback)
		return err_set(err, -EINVAL, "'%s' is not https", text);
	if (!url.tls && !allow_http)
		return err_set(err, -EINVAL, "'%s' is not https, and allow_http is not set", text);
	if (ret)
		*ret = url;
	return 0;
}

int url_escape(struct buf *out, const char *text, size_t len)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < len; i++) {
		if (text[i] && strchr(unreserved, text[i]))
			rc = buf_putc(out, (uint8_t)text[i]);
		else
			rc = buf_printf(out, "%%%02X", (unsigned)(uint8_t)text[i]);
	}
	return rc;
}

static int hex(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)((at - digits) % 16) : -1;
}

int url_unescape(struct buf *out, const char *text, size_t len)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < len; i++) {
		if (text[i] != '%') {
			rc = buf_putc(out, text[i] == '+' ? ' ' : (uint8_t)text[i]);
			continue;
		}
		if (i + 2 >= len || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0)
			return -EBADMSG;
		rc = buf_putc(out, (uint8_t)(hex(text[i + 1]) * 16 + hex(text[i + 2])));
		i += 2;
	}
	return rc;
}

int url_form_put(struct buf *form, const char *name, const char *value)
{
	int rc = form->len > 0 ? buf_putc(form, '&') : 0;

	if (rc == 0)
		rc = url_escape(form, name, strlen(name));
	if (rc == 0)
		rc = buf_putc(form, '=');
	return rc < 0 ? rc : url_escape(form, value, strlen(value));
}

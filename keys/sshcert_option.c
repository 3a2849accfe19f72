/* Critical options and extensions of a certificate.
 *
 * A list is pairs of string name, string data; the data of a text option is itself one string, the
 * data of a flag is empty. A name stands once in its list (PROTOCOL.certkeys says so; OpenSSH
 * enforces it for two names, here it holds for all). Their order is not checked, as in OpenSSH. An
 * unknown critical option is remembered: sshcert_check() refuses it. An unknown extension gives
 * nothing and is ignored. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "common/text.h"
#include "keys/sshcert_impl.h"

#define NAME_SHOWN 96

const struct sshcert_right_name sshcert_right_names[SSHCERT_RIGHTS] = {
	{ "permit-X11-forwarding", SSHCERT_X11_FORWARDING },
	{ "permit-agent-forwarding", SSHCERT_AGENT_FORWARDING },
	{ "permit-port-forwarding", SSHCERT_PORT_FORWARDING },
	{ "permit-pty", SSHCERT_PTY },
	{ "permit-user-rc", SSHCERT_USER_RC },
};

struct option {
	struct bytes name, data;
	char shown[NAME_SHOWN]; /* the name, for errors */
};

typedef int option_fn(struct sshcert *cert, const struct option *option, struct err *err);

static int damaged(const struct option *option, const char *what, struct err *err)
{
	return err_set(err, -EBADMSG, "certificate option '%s' %s", option->shown, what);
}

/* An empty command or address list is refused, because it could be taken for none later. */
static int take_text(const struct option *option, char **ret, struct err *err)
{
	struct wire in = WIRE_OF(option->data.data, option->data.len);
	struct bytes value;

	if (wire_get_string(&in, &value) < 0)
		return damaged(option, "is truncated", err);
	if (!wire_done(&in))
		return damaged(option, "has trailing bytes", err);
	if (value.len == 0)
		return damaged(option, "is empty", err);
	return sshcert_text(value, option->shown, ret, err);
}

static int take_critical(struct sshcert *cert, const struct option *option, struct err *err)
{
	if (wire_equal(option->name, SSHCERT_OPTION_FORCE_COMMAND))
		return take_text(option, &cert->force_command, err);
	if (wire_equal(option->name, SSHCERT_OPTION_SOURCE_ADDRESS))
		return take_text(option, &cert->source_address, err);
	if (wire_equal(option->name, SSHCERT_OPTION_VERIFY_REQUIRED)) {
		cert->verify_required = true;
		return option->data.len > 0
			       ? damaged(option, "has data, which it may not have", err)
			       : 0;
	}
	if (cert->unknown_critical)
		return 0;
	cert->unknown_critical = text_dup(option->shown, strlen(option->shown));
	return cert->unknown_critical ? 0 : err_set(err, -ENOMEM, "out of memory");
}

static int take_extension(struct sshcert *cert, const struct option *option, struct err *err)
{
	for (size_t i = 0; i < SSHCERT_RIGHTS; i++) {
		if (!wire_equal(option->name, sshcert_right_names[i].name))
			continue;
		if (option->data.len > 0)
			return damaged(option, "has data, which it may not have", err);
		cert->rights |= sshcert_right_names[i].right;
	}
	return 0;
}

static int next_option(struct wire *in, const char *list, struct option *ret, struct err *err)
{
	if (wire_get_string(in, &ret->name) < 0 || wire_get_string(in, &ret->data) < 0)
		return err_set(err, -EBADMSG, "certificate is truncated in its list of %s", list);
	if (ret->name.len == 0)
		return err_set(err, -EBADMSG,
			"certificate has an option without a name among its %s", list);
	text_clean(ret->shown, sizeof(ret->shown), ret->name.data, ret->name.len);
	return 0;
}

static bool seen_before(const struct bytes *names, size_t count, struct bytes name)
{
	for (size_t i = 0; i < count; i++)
		if (wire_same(names[i], name))
			return true;
	return false;
}

static int take_list(struct sshcert *cert, struct bytes bytes, const char *list, option_fn *take,
	struct err *err)
{
	struct wire in = WIRE_OF(bytes.data, bytes.len);
	struct bytes names[SSHCERT_OPTIONS_MAX];
	struct option option;
	size_t count = 0;
	int rc;

	while (!wire_done(&in)) {
		if (count == SSHCERT_OPTIONS_MAX)
			return err_set(err, -EBADMSG, "certificate has more than %d %s",
				SSHCERT_OPTIONS_MAX, list);
		rc = next_option(&in, list, &option, err);
		if (rc < 0)
			return rc;
		if (seen_before(names, count, option.name))
			return err_set(err, -EBADMSG, "certificate has '%s' twice among its %s",
				option.shown, list);
		names[count++] = option.name;
		rc = take(cert, &option, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int sshcert_take_options(
	struct sshcert *cert, struct bytes critical, struct bytes extensions, struct err *err)
{
	int rc = take_list(cert, critical, "critical options", take_critical, err);

	return rc < 0 ? rc : take_list(cert, extensions, "extensions", take_extension, err);
}

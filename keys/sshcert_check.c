/* Whether a parsed certificate may be used. Every refusal is a sentence for its owner.
 *
 * Pure: time and address are parameters. What does not depend on them is in
 * sshcert_check_lasting(), which is also called before a certificate is signed, so that none is
 * issued that would be refused. */
#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "common/text.h"
#include "keys/sshcert_impl.h"

#define SHOWN_MAX 256
/* 9999-12-31T23:59:59Z: a later time is not printed as a date */
#define CLOCK_LAST 253402300799

static const char *when(uint64_t seconds, char out[static CLOCK_RFC3339_MAX])
{
	if (seconds > CLOCK_LAST)
		return "the year 10000 or later";
	return clock_format((int64_t)seconds, out);
}

static const char *duration(uint64_t seconds, char *out, size_t size)
{
	return clock_duration_format(
		seconds > CLOCK_LAST ? CLOCK_LAST * 1000 : (int64_t)seconds * 1000, out, size);
}

static int check_principals(const struct sshcert *cert, struct err *err)
{
	char shown[SHOWN_MAX];

	if (cert->principal_count == 0)
		return err_set(
			err, -EACCES, "certificate names no principal, which would mean everybody");
	for (size_t i = 0; i < cert->principal_count; i++) {
		const char *name = cert->principals[i];

		if (!text_name_ok(name, strlen(name)))
			return err_set(err, -EACCES,
				"certificate has a principal that is not a valid name: '%s'",
				text_clean(shown, sizeof(shown), name, strlen(name)));
	}
	return 0;
}

/* Every entry is parsed, also after one that matches: a malformed list is refused as a whole. */
static int check_source_list(const char *list, struct err *err)
{
	char entry[ADDR_TEXT_MAX], shown[SHOWN_MAX];
	struct net net;

	for (;;) {
		size_t len = strcspn(list, ",");

		if (len == 0 || len >= sizeof(entry))
			break;
		memcpy(entry, list, len);
		entry[len] = '\0';
		if (net_parse(entry, &net, NULL) < 0)
			break;
		if (list[len] == '\0')
			return 0;
		list += len + 1;
	}
	return err_set(err, -EACCES, "certificate's source-address cannot be read at '%s'",
		text_clean(shown, sizeof(shown), list, strlen(list)));
}

int sshcert_check_lasting(const struct sshcert *cert, struct err *err)
{
	char after[CLOCK_RFC3339_MAX], before[CLOCK_RFC3339_MAX];
	int rc;

	if (cert->type != SSHCERT_TYPE_USER)
		return err_set(err, -EACCES, "certificate is of type %s, not user",
			cert->type == SSHCERT_TYPE_HOST ? "host" : "unknown");
	if (cert->unknown_critical)
		return err_set(err, -EACCES, "certificate has the unknown critical option '%s'",
			cert->unknown_critical);
	if (cert->verify_required)
		return err_set(err, -EACCES,
			"certificate demands verify-required (a PIN on the hardware key), which "
			"cannot be checked here");
	if (cert->valid_after >= cert->valid_before)
		return err_set(err, -EACCES, "certificate is never valid: it begins %s and ends %s",
			when(cert->valid_after, after), when(cert->valid_before, before));
	rc = check_principals(cert, err);
	if (rc == 0 && cert->source_address)
		rc = check_source_list(cert->source_address, err);
	return rc;
}

static int check_time(const struct sshcert *cert, int64_t now, struct err *err)
{
	char text[64], at[CLOCK_RFC3339_MAX];
	uint64_t t = (uint64_t)now;

	if (now < 0)
		return err_set(err, -EACCES,
			"certificate cannot be checked: the gateway's clock is before 1970");
	if (t < cert->valid_after)
		return err_set(err, -EACCES, "certificate is not valid before %s",
			when(cert->valid_after, at));
	if (t == cert->valid_before)
		return err_set(err, -EACCES, "certificate expired just now");
	if (t > cert->valid_before)
		return err_set(err, -EACCES, "certificate expired %s ago",
			duration(t - cert->valid_before, text, sizeof(text)));
	return 0;
}

static int check_source(const struct sshcert *cert, const struct addr *source, struct err *err)
{
	char from[ADDR_TEXT_MAX], shown[SHOWN_MAX];

	if (!cert->source_address)
		return 0;
	text_clean(shown, sizeof(shown), cert->source_address, strlen(cert->source_address));
	if (!source || source->family == 0)
		return err_set(err, -EACCES,
			"certificate is for certain addresses only (source-address %s), and yours "
			"is not known",
			shown);
	if (net_list_contains(cert->source_address, source, NULL) != 1)
		return err_set(err, -EACCES,
			"certificate may not be used from %s (source-address %s)",
			addr_format(source, from), shown);
	return 0;
}

int sshcert_check(
	const struct sshcert *cert, int64_t now, const struct addr *source, struct err *err)
{
	int rc = sshcert_check_lasting(cert, err);

	if (rc == 0)
		rc = check_time(cert, now, err);
	return rc < 0 ? rc : check_source(cert, source, err);
}

/* What came of a request, in words; and answers that must be JSON. See http.h. */
#include "oidc/http_impl.h"

#include <errno.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/text.h"

/* X509_V_ERR_*: those that mean "nobody we trust has signed this". */
static bool untrusted(long verify)
{
	static const int codes[] = {
		X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
		X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
		X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
		X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
		X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
		X509_V_ERR_CERT_UNTRUSTED,
		X509_V_ERR_CERT_SIGNATURE_FAILURE,
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i] == verify)
			return true;
	return false;
}

static void reason_certificate(struct http_call *call, char *out, size_t size)
{
	long verify = X509_V_OK;

	curl_easy_getinfo(call->easy, CURLINFO_SSL_VERIFYRESULT, &verify);
	if (untrusted(verify))
		snprintf(out, size, "certificate of '%s' is not signed by a trusted authority",
			call->url.host);
	/* libcurl itself compares the name */
	else if (verify == X509_V_OK || verify == X509_V_ERR_UNSPECIFIED)
		snprintf(out, size, "certificate of '%s' is for another name", call->url.host);
	else
		snprintf(out, size, "certificate of '%s': %s", call->url.host,
			X509_verify_cert_error_string(verify));
}

void http_call_reason(struct http_call *call, CURLcode code, char *out, size_t size)
{
	static const struct {
		CURLcode code;
		const char *before, *after;
	} plain[] = {
		{ CURLE_COULDNT_RESOLVE_HOST, "cannot resolve ", "" },
		{ CURLE_GOT_NOTHING, "", " closed the connection without an answer" },
		{ CURLE_PARTIAL_FILE, "", " closed the connection in the middle of its answer" },
		{ CURLE_RECV_ERROR, "", " broke off the connection" },
		{ CURLE_UNSUPPORTED_PROTOCOL, "", " is asked by a protocol that is not allowed" },
	};
	size_t limit = call->body.max;

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (plain[i].code == code) {
			snprintf(out, size, "%s'%s'%s", plain[i].before, call->url.host,
				plain[i].after);
			return;
		}
	if (call->too_large || code == CURLE_FILESIZE_EXCEEDED)
		snprintf(out, size, "answer of '%s' is larger than %zu %s", call->url.host,
			limit % 1048576 ? limit / 1024 : limit / 1048576,
			limit % 1048576 ? "KiB" : "MiB");
	else if (code == CURLE_OPERATION_TIMEDOUT)
		snprintf(out, size, "no answer from '%s' port %u in time", call->url.host,
			call->url.port);
	else if (code == CURLE_COULDNT_CONNECT)
		snprintf(out, size, "cannot connect to '%s' port %u", call->url.host,
			call->url.port);
	else if (code == CURLE_PEER_FAILED_VERIFICATION)
		reason_certificate(call, out, size);
	else
		snprintf(out, size, "'%s': %s", call->url.host,
			call->error[0] ? call->error : curl_easy_strerror(code));
}

/* ---- JSON ---- */

bool http_answer_is_json(const struct http_answer *answer)
{
	size_t len = strcspn(answer->content_type, "; \t");
	const char *type = answer->content_type;

	if (len == 16 && strncasecmp(type, "application/json", 16) == 0)
		return true;
	return len > 5 && strncasecmp(type + len - 5, "+json", 5) == 0;
}

int http_answer_json(const struct http_answer *answer, size_t max, json_t **ret, struct err *err)
{
	char shown[128];

	if (answer->failure)
		return err_set(err, -EIO, "%s", answer->failure);
	if (answer->status != 200)
		return err_set(err, -EIO, "HTTP %ld", answer->status);
	if (!http_answer_is_json(answer))
		return err_set(err, -EBADMSG, "answer is not JSON but '%s'",
			text_clean(shown, sizeof(shown), answer->content_type,
				strlen(answer->content_type)));
	int rc = json_parse(answer->body, max, ret, err);
	return rc < 0 ? err_prefix(err, rc, "answer") : 0;
}

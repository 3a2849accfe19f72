/* The document in which a provider says where it is asked for what (OpenID Connect Discovery 1.0;
 * RFC 8414). Pure: text in, addresses out.
 *
 * The issuer in the document must be the configured one to the letter. Every address is https, or
 * http on loopback where that is allowed; it may be on another host (large providers do that). What
 * is not there is NULL, and so is what is optional and unusable (another type, http): the first of
 * these is told in `unusable`. */
#ifndef BARTIZAN_DISCOVERY_H
#define BARTIZAN_DISCOVERY_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/err.h"

#define DISCOVERY_SIZE_MAX (256 * 1024)

struct discovery {
	char *issuer;
	/* token_endpoint; NULL: no logins, its tokens come to workloads by other ways */
	char *token;
	char *jwks;	     /* jwks_uri */
	char *device;	     /* device_authorization_endpoint; NULL: no device flow */
	char *authorization; /* authorization_endpoint; NULL: no browser login */
	char *userinfo;	     /* userinfo_endpoint; NULL: none */
	char *logout;	     /* end_session_endpoint, for people; NULL: none */
	char *unusable; /* "device_authorization_endpoint: 'http://…' is not https"; NULL: none */
	bool basic, post; /* token_endpoint_auth_methods_supported; basic is the default */
	bool s256;	  /* code_challenge_methods_supported names S256, or says nothing */
	bool iss_sent;	  /* authorization_response_iss_parameter_supported (RFC 9207) */
};

/* a path of the issuer stays before the suffix; its last slash is not doubled */
int discovery_url(const char *issuer, struct buf *out);
/* caller frees */
int discovery_parse(struct bytes json, const char *issuer, bool allow_http, struct discovery **ret,
	struct err *err);
void discovery_free(struct discovery *discovery);

#endif

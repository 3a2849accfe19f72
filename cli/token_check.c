/* bartizan token check: the gateway's own verification of ID tokens, offline: a token against a
 * provider's rules and a key set from a file, or one bare JWS against one key.
 *
 * Standard output says `accepted` or `refused: why`, and the exit status is 0 or 1. If the check
 * cannot be made (no such file, an error in the configuration, no keys), the reason is on standard
 * error and the status is 2, so that 1 always means "refused". */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/fd.h"
#include "oidc/jwa.h"
#include "oidc/jws.h"
#include "oidc/token.h"
#include "policy/config.h"

#define FILE_MAX (1024 * 1024) /* larger than any input that can be accepted */

struct options {
	const char *provider, *jwks, *jwk, *at, *userinfo, *nonce;
	struct args_list algorithms;
	int64_t max_age;
	bool jws, json;
};

#define OPT(n, t, f)                                    \
	{                                               \
		n, t, offsetof(struct options, f), 0, 0 \
	}
static const struct arg_row rows[] = {
	OPT("provider", ARG_TEXT, provider),
	OPT("jwks", ARG_TEXT, jwks),
	OPT("at", ARG_TEXT, at),
	OPT("userinfo", ARG_TEXT, userinfo),
	OPT("nonce", ARG_TEXT, nonce),
	OPT("max-age", ARG_DURATION, max_age),
	OPT("jwk", ARG_TEXT, jwk),
	OPT("jws", ARG_FLAG, jws),
	OPT("alg", ARG_LIST, algorithms),
	OPT("json", ARG_FLAG, json),
	{ 0 },
};

static const struct table_column columns[] = {
	{ "user", "user", false },
	{ "groups", "groups", false },
	{ "groups_dropped", "groups dropped", false },
	{ "dropped", "they were", true },
	{ "subject", "subject", false },
	{ "login_time", "login time", false },
	{ "key_id", "key id", false },
	{ "algorithm", "algorithm", false },
	{ 0 },
};

/* ---- input ---- */

static int read_input(const char *path, struct buf *ret, struct err *err)
{
	return strcmp(path, "-") ? fd_read_file(AT_FDCWD, path, FILE_MAX, ret, err)
				 : fd_read_all(STDIN_FILENO, FILE_MAX, ret, err);
}

/* The token without the line end that editors and echo(1) add; other white space belongs to the
 * token. */
static struct bytes token_of(const struct buf *file)
{
	struct bytes token = buf_bytes(file);

	if (token.len && token.data[token.len - 1] == '\n')
		token.len--;
	if (token.len && token.data[token.len - 1] == '\r')
		token.len--;
	return token;
}

static const struct conf_provider *provider_of(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->conf->provider_count; i++)
		if (!strcmp(config->conf->providers[i].name, name))
			return &config->conf->providers[i];
	return NULL;
}

/* ---- the answer ---- */

static int refused(const struct options *options, const struct err *err)
{
	BUF_CLEANUP struct buf line = BUF_INIT(CLI_OUT_MAX);
	int rc;

	if (options->json)
		rc = cli_put_json(json_pack("[{s:s, s:o}]", "result", "refused", "reason",
			json_visible(err->text, strlen(err->text))));
	else
		rc = buf_puts(&line, "refused: ") ||
		     table_visible(&line, err->text, ERR_TEXT_MAX) || buf_putc(&line, '\n') ||
		     cli_put(&line);
	return rc ? CLI_USAGE : CLI_FAILED;
}

static int accepted(const struct options *options, json_t *object)
{
	static const struct buf empty = { 0 };
	BUF_CLEANUP struct buf line = BUF_INIT(64);

	json_object_set_new(object, "result", json_string("accepted"));
	if (buf_puts(&line, "accepted\n") || cli_put(options->json ? &empty : &line))
		return CLI_USAGE;
	return cli_put_one(options->json, object, columns) ? CLI_USAGE : CLI_OK;
}

static json_t *person(const struct identity *who, const struct token_dropped *dropped)
{
	json_t *groups = json_array(), *object = json_object();

	for (size_t i = 0; i < who->group_count; i++)
		json_array_append_new(groups, json_string(who->groups[i]));
	json_object_set_new(object, "user", json_string(who->user));
	json_object_set_new(object, "groups", groups);
	if (dropped->count) {
		json_object_set_new(
			object, "groups_dropped", json_integer((json_int_t)dropped->count));
		json_object_set_new(object, "dropped", json_string(dropped->words));
	}
	json_object_set_new(object, "subject", json_string(who->subject));
	json_object_set_new(object, "provider", json_string(who->provider));
	json_object_set_new(object, "login_time", json_time_ms(who->login_time * 1000));
	return object;
}

/* ---- a provider's token ---- */

struct inputs { /* all inputs, parsed */
	const struct conf_provider *provider;
	struct jwks *jwks;
	json_t *userinfo;
	int64_t now;
};

static int judge(const struct options *options, const struct inputs *in, struct bytes token)
{
	const struct conf_provider *provider = in->provider;
	const struct token_rules rules = {
		.issuer = provider->issuer,
		.audience = provider->audience ? provider->audience : provider->client_id,
		.algorithms = (const char *const *)provider->algorithms,
		.skew_s = provider->skew / 1000,
		.lifetime_max_s = provider->token_lifetime / 1000,
		.max_age_s = options->max_age < 0 ? -1 : options->max_age / 1000,
		.nonce = options->nonce,
		.machine = provider->machine,
		.require = (const char *const *)provider->require,
	};
	const struct token_claims claims = { .user = provider->user,
		.groups = provider->groups,
		.groups_keys = provider->groups_keys,
		.name_flags = conf_provider_names(provider) };
	JSON_CLEANUP json_t *payload = NULL;
	struct identity *who = NULL;
	struct err err = { "" };
	struct token_dropped dropped = { 0, "" };
	int rc = token_verify(token, in->jwks, &rules, in->now, &payload, &err);

	if (!rc)
		rc = token_identity(
			payload, in->userinfo, &claims, provider->name, &who, &dropped, &err);
	int status = rc ? refused(options, &err) : accepted(options, person(who, &dropped));
	identity_free(who);
	return status;
}

static int read_jwks(const char *path, struct jwks **ret, struct err *err)
{
	BUF_CLEANUP struct buf text = BUF_INIT(FILE_MAX);
	int rc = read_input(path, &text, err);

	if (rc)
		return rc;
	rc = jwks_parse(buf_bytes(&text), ret, err);
	return rc ? err_prefix(err, rc, "'%s'", path) : 0;
}

static int read_userinfo(const char *path, json_t **ret, struct err *err)
{
	BUF_CLEANUP struct buf text = BUF_INIT(FILE_MAX);
	int rc = read_input(path, &text, err);

	if (rc)
		return rc;
	rc = json_parse(buf_bytes(&text), FILE_MAX, ret, err);
	if (!rc && !json_is_object(*ret))
		rc = err_set(err, -EBADMSG, "it is not a JSON object");
	return rc ? err_prefix(err, rc, "'%s'", path) : 0;
}

static int gather(const struct options *options, const struct config *config, struct inputs *in,
	struct err *err)
{
	in->now = clock_wall();
	in->provider = provider_of(config, options->provider);
	if (!in->provider)
		return err_set(err, -ENOENT, "the configuration has no provider '%.200s'",
			options->provider);
	int rc = options->at ? clock_parse(options->at, &in->now, err) : 0;
	if (rc)
		return err_prefix(err, rc, "option '--at'");
	rc = read_jwks(options->jwks, &in->jwks, err);
	if (!rc && options->userinfo)
		rc = read_userinfo(options->userinfo, &in->userinfo, err);
	return rc;
}

static int check_token(const struct cli *cli, const struct options *options, struct bytes token)
{
	struct files *files = files_from_disk();
	struct config *config = NULL;
	struct inputs in = { 0 };
	struct err err = { "" };
	int rc = files ? config_load(files, cli->config, &config, &err)
		       : err_set(&err, -ENOMEM, "out of memory");

	if (!rc)
		rc = gather(options, config, &in, &err);
	int status = rc ? CLI_USAGE : judge(options, &in, token);
	if (rc)
		cli_error("%s", err.text);
	jwks_free(in.jwks);
	json_decref(in.userinfo);
	config_free(config);
	files_free(files);
	return status;
}

/* ---- a bare JWS ---- */

static int verify_bare(const struct options *options, const struct jwk *key, struct bytes token,
	struct err *err, json_t **ret)
{
	char names[JWA_NAMES_MAX];
	JWS_CLEANUP struct jws jws = { 0 };
	int rc = jws_parse(token, NULL, &jws, err);

	if (!rc && options->algorithms.count && !jwa_listed(options->algorithms.items, jws.alg))
		rc = err_set(err, -EBADMSG, "algorithm '%s' is not one that '--alg' names (%s)",
			jws.alg, jwa_names(options->algorithms.items, names));
	if (!rc)
		rc = jws_verify(key, &jws, err);
	if (!rc)
		*ret = json_pack("{s:s, s:o}", "algorithm", jws.alg, "key_id",
			jws.kid ? json_visible(jws.kid, strlen(jws.kid)) : json_null());
	return rc;
}

static int check_bare(const struct options *options, struct bytes token)
{
	BUF_CLEANUP struct buf text = BUF_INIT(FILE_MAX);
	struct jwk *key = NULL;
	json_t *object = NULL;
	struct err err = { "" };

	if (read_input(options->jwk, &text, &err)) {
		cli_error("%s", err.text);
		return CLI_USAGE;
	}
	int rc = jwk_parse(buf_bytes(&text), &key, &err);
	if (!rc)
		rc = verify_bare(options, key, token, &err, &object);
	jwk_free(key);
	return rc ? refused(options, &err) : accepted(options, object);
}

static int usable(const struct cli *cli, const struct options *options)
{
	if (options->jws || options->jwk) {
		if (!options->jws || !options->jwk || options->provider || options->jwks)
			return cli_usage(
				cli, "a bare JWS needs '--jwk' and '--jws', and no provider");
		return CLI_OK;
	}
	if (!options->provider)
		return cli_usage(
			cli, "'--provider' is needed, or '--jwk' and '--jws' for a bare JWS");
	if (options->algorithms.count)
		return cli_usage(cli, "option '--alg' is for a bare JWS; a provider's list is in "
				      "the configuration");
	if (!options->jwks) {
		cli_error("the provider's keys are not fetched by this version: name a file that "
			  "holds its key set with '--jwks'");
		return CLI_USAGE;
	}
	return CLI_OK;
}

int cli_run_token_check(const struct cli *cli, char *const *argv)
{
	BUF_CLEANUP struct buf file = BUF_INIT(FILE_MAX);
	struct options options = { .max_age = -1 };
	struct args_list words;
	struct err err = { "" };

	if (!cli_args(cli, rows, argv, &options, &words, 1, 1) || usable(cli, &options))
		return CLI_USAGE;
	int rc = read_input(words.items[0], &file, &err);
	if (rc == -EFBIG) {
		err_set(&err, rc, "token is longer than %d bytes", JWS_SIZE_MAX);
		return refused(&options, &err);
	}
	if (rc) {
		cli_error("%s", err.text);
		return CLI_USAGE;
	}
	return options.jws ? check_bare(&options, token_of(&file))
			   : check_token(cli, &options, token_of(&file));
}

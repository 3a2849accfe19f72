/* bartizan audit verify: checks chain, checkpoints and transcripts on the files alone; no gateway
 * needs to run. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "keys/sshkey.h"
#include "policy/config.h"
#include "store/audit.h"

#define PROBLEMS_MAX 1000 /* problems that are listed; all are counted */

struct options {
	const char *state_dir, *key;
	bool json;
};

static const struct arg_row rows[] = {
	{ "state-dir", ARG_TEXT, offsetof(struct options, state_dir), 0, 0 },
	{ "key", ARG_TEXT, offsetof(struct options, key), 0, 0 },
	{ "json", ARG_FLAG, offsetof(struct options, json), 0, 0 },
	{ 0 },
};
static const struct table_column columns[] = {
	{ "events", "events", false },
	{ "checkpoints", "checkpoints", false },
	{ "transcripts", "transcripts", false },
	{ "signed_up_to", "signed up to", false },
	{ "key", "checkpoint key", false },
	{ "bad", "problems", false },
	{ "ok", "all well", false },
	{ 0 },
};

static void note(const char *text, void *context)
{
	if (json_array_size(context) < PROBLEMS_MAX)
		json_array_append_new(context, json_visible(text, strlen(text)));
}

static int parse_public(struct buf *text, struct sshkey **ret, struct err *err)
{
	const char *line = buf_cstr(text);
	FREE_CLEANUP char *first = line ? strndup(line, strcspn(line, "\r\n")) : NULL;

	return first ? sshkey_from_line(first, ret, err) : -ENOMEM;
}

/* audit_key.pub of the state directory, or the public half of the signer's audit_key where this
 * user may read it. *ret stays NULL where there is neither. */
static int default_key(int dir, struct sshkey **ret, struct err *err)
{
	struct buf text = BUF_INIT(SSHKEY_FILE_MAX);
	int rc = fd_read_file(dir, "audit_key.pub", SSHKEY_FILE_MAX - 1, &text, err);

	if (!rc)
		rc = parse_public(&text, ret, err);
	else if (rc == -ENOENT &&
		 !(rc = fd_read_file(dir, "audit_key", SSHKEY_FILE_MAX, &text, err)))
		rc = sshkey_from_private(buf_bytes(&text), ret, err);
	buf_burn(&text);
	if (!rc || rc == -ENOENT || rc == -EACCES)
		return 0;
	return err_prefix(err, rc, "audit key");
}

static int load_key(int dir, const char *path, struct sshkey **ret, struct err *err)
{
	BUF_CLEANUP struct buf text = BUF_INIT(SSHKEY_FILE_MAX);

	if (!path)
		return default_key(dir, ret, err);
	int rc = fd_read_file(AT_FDCWD, path, SSHKEY_FILE_MAX - 1, &text, err);
	if (!rc && (rc = parse_public(&text, ret, err)))
		err_prefix(err, rc, "'%s'", path);
	return rc;
}

static json_t *report_json(
	const struct audit_report *report, const struct sshkey *key, json_t *problems)
{
	char fingerprint[SSHKEY_FP_MAX] = "";

	if (key)
		sshkey_fingerprint(key, fingerprint);
	return json_pack("{s:I, s:I, s:I, s:I, s:o, s:I, s:b, s:O}", "events",
		(json_int_t)report->events, "checkpoints", (json_int_t)report->checkpoints,
		"transcripts", (json_int_t)report->transcripts, "signed_up_to",
		(json_int_t)report->signed_up_to, "key",
		key ? json_string(fingerprint) : json_null(), "bad", (json_int_t)report->bad, "ok",
		!report->bad, "problems", problems);
}

static int verify(int dir, const struct options *options)
{
	JSON_CLEANUP json_t *problems = json_array();
	SSHKEY_CLEANUP struct sshkey *key = NULL;
	struct audit_report report = { 0 };
	struct store *store = NULL;
	struct err err = { "" };
	int rc = load_key(dir, options->key, &key, &err);

	if (!rc)
		rc = store_open(dir, true, &store, &err);
	if (!rc)
		rc = audit_verify(store, key, note, problems, &report, &err);
	store_close(store);
	if (rc)
		return cli_error("the audit chain cannot be checked: %s", err.text);
	for (size_t i = 0; i < json_array_size(problems); i++)
		cli_error("%s", json_string_value(json_array_get(problems, i)));
	int status = cli_put_one(options->json, report_json(&report, key, problems), columns);
	if (!key && report.checkpoints && !options->json)
		cli_error("no checkpoint key was given: the checkpoints were checked against the "
			  "key that they name themselves");
	return report.bad ? CLI_FAILED : status;
}

/* The configuration's state_dir. NULL: there is none; an error is printed if the configuration was
 * named. Caller frees. */
static char *configured(const struct cli *cli)
{
	struct config *config = NULL;
	struct err err = { "" };
	struct files *files = files_from_disk();
	int rc = files ? config_load(files, cli->config, &config, &err) : -ENOMEM;
	char *dir = rc ? NULL : strdup(config->conf->state_dir);

	if (rc && cli->config_given)
		cli_error("%s", err.text);
	config_free(config);
	files_free(files);
	return dir;
}

/* Option, environment, the gateway on the socket that was named, configuration, default. Caller
 * frees. */
static char *state_dir(const struct cli *cli, const char *option)
{
	const char *given = option;

	if (!given && !cli->config_given && !(given = getenv("BARTIZAN_STATE_DIR")))
		given = getenv("STATE_DIR");
	if (given && *given)
		return strdup(given);
	char *dir = cli->socket && !cli->config_given ? cli_ask_state_dir(cli) : NULL;
	if (!dir)
		dir = configured(cli);
	return dir || cli->config_given ? dir : strdup(CLI_STATE_DIR);
}

int cli_run_audit_verify(const struct cli *cli, char *const *argv)
{
	struct options options = { 0 };
	struct args_list words;

	if (!cli_args(cli, rows, argv, &options, &words, 0, 0))
		return CLI_USAGE;
	FREE_CLEANUP char *path = state_dir(cli, options.state_dir);
	if (!path)
		return CLI_FAILED;
	FD_CLEANUP int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? cli_error("'%s': %s", path, strerror(errno)) : verify(dir, &options);
}

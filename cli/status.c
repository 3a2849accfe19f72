/* bartizan login --status: the logins of this laptop, as its ssh-agent holds them. `bartizan
 * status` is the same, unless there is a gateway here. */
#include "cli/login.h"

#include <string.h>

#include "common/clock.h"
#include "common/fd.h"

#define EXPIRES_MAX 253402300799 /* the year 9999: a later end is shown as none */

static const struct table_column columns[] = {
	{ "gateway", "GATEWAY", false },
	{ "user", "USER", false },
	{ "state", "STATE", false },
	{ "expires", "EXPIRES", false },
	{ "serial", "SERIAL", false },
	{ "key", "KEY", false },
	{ 0 },
};

static json_t *row_of(const struct agent_key *agent_key, const struct sshcert *cert)
{
	char key_fp[SSHKEY_FP_MAX];
	const char *user = "", *at;
	size_t len = 0;
	int64_t now = clock_wall(),
		until = cert->valid_before > EXPIRES_MAX ? 0 : (int64_t)cert->valid_before;

	agent_ours(agent_key->comment, NULL, &user, &len);
	at = user + len + 1;
	sshkey_fingerprint(cert->key, key_fp);
	return json_pack("{s:o, s:o, s:s, s:o, s:o, s:I, s:s}", "gateway",
		json_visible(at, strlen(at)), "user", json_visible(user, len), "state",
		until && until <= now ? "expired" : "valid", "expires", json_time_ms(until * 1000),
		"key_id", json_visible(cert->key_id, strlen(cert->key_id)), "serial",
		(json_int_t)cert->serial, "key", key_fp);
}

static json_t *rows_of(const struct agent_keys *keys)
{
	json_t *rows = json_array();

	for (size_t i = 0; rows && i < keys->count; i++) {
		SSHCERT_CLEANUP struct sshcert *cert = NULL;
		if (agent_ours(keys->list[i].comment, NULL, NULL, NULL) &&
			!sshcert_parse(keys->list[i].blob, &cert, NULL))
			json_array_append_new(rows, row_of(&keys->list[i], cert));
	}
	return rows;
}

static int show(json_t *rows, bool json)
{
	BUF_CLEANUP struct buf out = BUF_INIT(CLI_OUT_MAX);
	struct table_style style = cli_style();

	if (json)
		return cli_put_json(rows);
	int rc = rows ? 0 : -1;
	if (!rc && json_array_size(rows))
		rc = table_rows(rows, columns, &style, &out);
	else if (!rc)
		rc = buf_puts(&out, "not logged in; run: bartizan login\n");
	json_decref(rows);
	return rc ? cli_error("the answer could not be made") : cli_put(&out);
}

int cli_run_status(const struct cli *cli, char *const *argv)
{
	static const struct arg_row rows[] = { { "json", ARG_FLAG, 0, 0, 0 }, { 0 } };
	bool json = false;
	struct args_list words;
	char *ask[ARGS_LIST_MAX + 2] = { (char *)"status" };

	if (!cli_gateway_here(cli))
		return cli_args(cli, rows, argv, &json, &words, 0, 0) ? login_status(json)
								      : CLI_USAGE;
	for (size_t count = 1; *argv && count <= ARGS_LIST_MAX;)
		ask[count++] = *argv++;
	return cli_ask(cli, ask);
}

int login_status(bool json)
{
	FD_CLEANUP int fd = -1;
	struct agent_keys keys = { 0 };
	struct err err = { "" };

	if (agent_open(&fd, &err) || agent_list(fd, &keys, &err))
		return cli_error("%s", err.text);
	int status = show(rows_of(&keys), json);
	agent_keys_release(&keys);
	return status;
}

/* The `bartizan` program: shared by its subcommands.
 *
 * One subcommand is one file and one row of cli_table (main.c). Subcommands return the process's
 * exit status and print their own errors. */
#ifndef BARTIZAN_CLI_H
#define BARTIZAN_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/args.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/ipc_msg.h"
#include "common/json.h"
#include "common/table.h"

#define CLI_CONFIG "/etc/bartizan/config.yaml"
#define CLI_STATE_DIR "/var/lib/bartizan"
#define CLI_SOCKET "/run/bartizan/control.sock"
#define CLI_OUT_MAX (16 * 1024 * 1024)

enum cli_exit { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 }; /* and EXIT_* of common/access.h */

/* The global options. */
struct cli {
	const char *config;	   /* never NULL */
	bool config_given;	   /* by option or environment */
	const char *socket;	   /* NULL: as the environment, then the configuration says */
	const struct cli_row *row; /* of the subcommand that runs */
};

struct cli_row {
	const char *name, *sub; /* sub NULL: any further words are the subcommand's */
	const char *usage, *help;
	int (*run)(const struct cli *cli, char *const *argv); /* argv: after name and sub */
	bool gateway;					      /* it needs the running gateway */
};

extern const struct cli_row cli_table[]; /* ends with name NULL */

/* "bartizan: …" on stderr, cleaned; returns CLI_FAILED */
int cli_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Prints why (NULL allowed) and the usage; returns CLI_USAGE. */
int cli_usage(const struct cli *cli, const char *why);
/* Reads a subcommand's arguments; false: usage was printed. */
bool cli_args(const struct cli *cli, const struct arg_row *rows, char *const *argv, void *ret,
	struct args_list *words, size_t min, size_t max);
struct table_style cli_style(void); /* of stdout: bold only on a terminal without NO_COLOR */
/* to stdout; returns CLI_OK, or CLI_FAILED where it cannot be written */
int cli_put(const struct buf *buf);
int cli_put_json(json_t *rows); /* prints an array; steals it; NULL fails */
/* steals it; an array with one object, or labelled lines */
int cli_put_one(bool json, json_t *object, const struct table_column *columns);

/* The path of the control socket: option, environment, configuration, default. Caller frees; NULL:
 * the error was printed. */
char *cli_socket_path(const struct cli *cli);
/* Runs a command in the gateway (NULL-terminated argv) and returns its exit status. */
int cli_ask(const struct cli *cli, char *const *argv);
/* where the running gateway keeps its state; NULL: nobody answers. Caller frees */
char *cli_ask_state_dir(const struct cli *cli);
/* a gateway was named, or its configuration or socket is on this machine */
bool cli_gateway_here(const struct cli *cli);
bool cli_answers(const struct cli *cli); /* whether a gateway listens; prints nothing */

/* Plays a transcript on stdout. Returns an exit status; Ctrl-C ends it, the terminal is put back.
 */
int cli_play(int fd, const struct msg_play *options);

int cli_run_help(const struct cli *cli, char *const *argv);
int cli_run_version(const struct cli *cli, char *const *argv);
int cli_run_gateway(const struct cli *cli, char *const *argv);
int cli_run_replay(const struct cli *cli, char *const *argv);
int cli_run_cert_issue(const struct cli *cli, char *const *argv);
int cli_run_ca_init(const struct cli *cli, char *const *argv);
int cli_run_config_check(const struct cli *cli, char *const *argv);
int cli_run_config_dump(const struct cli *cli, char *const *argv);
int cli_run_config_ssh(const struct cli *cli, char *const *argv);
int cli_run_policy_explain(const struct cli *cli, char *const *argv);
int cli_run_policy_guards(const struct cli *cli, char *const *argv);
int cli_run_policy_test(const struct cli *cli, char *const *argv);
int cli_run_token_check(const struct cli *cli, char *const *argv);
int cli_run_login(const struct cli *cli, char *const *argv);
int cli_run_logout(const struct cli *cli, char *const *argv);
int cli_run_status(const struct cli *cli, char *const *argv);
int cli_run_audit_verify(const struct cli *cli, char *const *argv);

#endif

/* Shared by the commands: the row of their table, their arguments, and how an answer is shown.
 * Included in server/broker/command only. */
#ifndef BARTIZAN_BROKER_COMMAND_IMPL_H
#define BARTIZAN_BROKER_COMMAND_IMPL_H

#include "common/args.h"
#include "common/json.h"
#include "common/table.h"
#include "policy/ruleset.h"
#include "server/broker/command/command.h"
#include "server/broker/login/issue.h"
#include "store/sessions.h"

#define COMMAND_REASON_MAX 512		     /* bytes of --reason */
#define COMMAND_LIST_MAX 10000		     /* --limit, --lines */
#define COMMAND_ANSWER_MAX (4 * 1024 * 1024) /* bytes of one answer: below IPC_QUEUE_BYTES_MAX */
#define COMMAND_LIFETIME_MAX_MS ((int64_t)BROKER_ISSUE_MAX_S * 1000)
#define COMMAND_FOR_MAX_MS (30LL * 24 * 3600 * 1000)
#define COMMAND_USES_MAX 1000000
#define COMMAND_SPEED_MAX_MILLI 1000000
#define COMMAND_REVOKE_MAX_MS (100LL * 365 * 24 * 3600 * 1000)

/* the arguments of all commands; each row of the table has the list of those that it takes */
struct command_args {
	struct args_list words;
	bool json, watch, all, mine, open, text, channels, no_pty, token, crypto;
	const char *user, *target, *reason, *public_key, *source_address, *force_command;
	const char *serial, *key, *key_id, *session, *ca, *until; /* of revoke */
	struct args_list groups;
	const char *note, *kind, *login, *command; /* of requests */
	int64_t uses;
	int64_t limit, lines;	      /* counts */
	int64_t speed;		      /* thousandths; -1: not given */
	int64_t idle, from, lifetime; /* milliseconds */
	int64_t for_ms;		      /* 0: not given */
};

#define COMMAND_LOCAL 0x8000u /* in the column of rights: on the control socket only */

struct command {
	const char *name, *sub; /* sub NULL: the command by itself */
	const char *usage, *help;
	/* MAY_*, COMMAND_LOCAL, or 0 for everybody. One's own sessions need no right: their
	 * handlers call command_session(). */
	unsigned right;
	const struct arg_row *options;
	size_t words_min, words_max;
	void (*run)(struct caller *caller, const struct command_args *args);
};

extern const struct command command_table[]; /* ends with name NULL */
bool command_allowed(const struct caller *caller, const struct command *command);
const char *command_right_name(unsigned right); /* "the right 'kill'" … for messages */

/* Answers with a list, as one JSON array or a table, and ends the command. Steals rows; NULL means
 * that making them failed. */
void command_list(struct caller *caller, const struct command_args *args, json_t *rows,
	const struct table_column *columns);
/* Answers with one object, as a JSON array of one or as labelled lines, and ends the command.
 * Steals object. */
void command_one(struct caller *caller, const struct command_args *args, json_t *object,
	const struct table_column *columns);
/* The same two without ending the command. False: it failed, and the command was ended. */
bool command_show_list(struct caller *caller, const struct command_args *args, json_t *rows,
	const struct table_column *columns);
bool command_show_one(struct caller *caller, const struct command_args *args, json_t *object,
	const struct table_column *columns);
/* command_error() and command_exit() */
void command_fail(struct caller *caller, unsigned status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void command_put(struct caller *caller, int stream, const struct buf *buf);

bool command_own(const struct caller *caller, const struct session_row *row);
/* Finds the session with this id (or its unique beginning), if the caller owns it or has the right.
 * Otherwise answers, ends the command and returns false. */
bool command_session(
	struct caller *caller, const char *id, unsigned right, struct session_row *ret);
/* a JSON array of texts */
json_t *command_strings(char *const *list);
/* one line of text, or null */
json_t *command_evidence_summary(struct caller *caller, const struct session_row *row);

void command_run_help(struct caller *caller, const struct command_args *args);
void command_run_version(struct caller *caller, const struct command_args *args);
void command_run_status(struct caller *caller, const struct command_args *args);
void command_run_whoami(struct caller *caller, const struct command_args *args);
void command_run_targets(struct caller *caller, const struct command_args *args);
void command_show_crypto(struct caller *caller, const struct command_args *args);
void command_run_sessions(struct caller *caller, const struct command_args *args);
void command_run_show(struct caller *caller, const struct command_args *args);
void command_run_kill(struct caller *caller, const struct command_args *args);
void command_run_replay(struct caller *caller, const struct command_args *args);
void command_run_evidence(struct caller *caller, const struct command_args *args);
void command_run_audit(struct caller *caller, const struct command_args *args);
void command_run_audit_key(struct caller *caller, const struct command_args *args);
void command_run_requests(struct caller *caller, const struct command_args *args);
void command_run_requests_show(struct caller *caller, const struct command_args *args);
void command_run_request(struct caller *caller, const struct command_args *args);
void command_run_break_glass(struct caller *caller, const struct command_args *args);
void command_run_approve(struct caller *caller, const struct command_args *args);
void command_run_deny(struct caller *caller, const struct command_args *args);
void command_run_cancel(struct caller *caller, const struct command_args *args);
void command_run_extend(struct caller *caller, const struct command_args *args);
void command_revoke_approval(struct caller *caller, const struct command_args *args);
void command_run_reviews(struct caller *caller, const struct command_args *args);
void command_run_reviews_sign(struct caller *caller, const struct command_args *args);
void command_run_scan(struct caller *caller, const struct command_args *args);
void command_run_issue(struct caller *caller, const struct command_args *args);
void command_run_login(struct caller *caller, const struct command_args *args);
void command_run_logout(struct caller *caller, const struct command_args *args);
void command_run_revoke(struct caller *caller, const struct command_args *args);
void command_run_revoked(struct caller *caller, const struct command_args *args);
void command_run_unrevoke(struct caller *caller, const struct command_args *args);

#endif

/* Guards: lists of patterns that judge command lines.
 *
 *	guards:
 *	  prod:                                  # a list of entries, or a map: {rules: [entries],
 *blind: warn}
 *	    - {deny:    ["mkfs*", "re:\\bdd\\b.*of=/dev/"]}
 *	    - {approve: ["rm -r*"], by: lead}    # by: one role or several
 *	    - {warn:    ["sudo *"]}
 *	    - {allow:   ["*"]}
 *
 * A line is taken apart (shellwords.h). Each simple command, each assignment and each file that is
 *redirected to gets the verdict of the first entry that matches it; none matches: deny. The
 *strictest verdict over all of them is the line's. Whatever cannot be seen is held, by the roles of
 * the first entry that approves, or denied where there is none.
 *
 * What a pattern is held against: the words joined by single blanks after the removal of quotes,
 *with the program's base name and with its path as written. deny and approve also look at the
 *source as written, and at what an expansion in the arguments could stand for (`rm $x` may be `rm
 *-rf`: that is a doubt); regular expressions cannot look at that. allow and warn take a base name
 *only from a program without a path or from one of the system's own directories. An assignment is
 *matched as NAME=value, a file as "> /etc/passwd", "< file", ">> file". */
#ifndef BARTIZAN_GUARD_H
#define BARTIZAN_GUARD_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/json.h"
#include "conf/yaml.h"
#include "shell/shell.h"

#define GUARD_COUNT_MAX 256
#define GUARD_ENTRIES_MAX 256	/* of a guard */
#define GUARD_PATTERNS_MAX 1024 /* of a guard, over all entries */
#define GUARD_ROLES_MAX 16	/* of an entry */
#define GUARD_NAME_MAX 255
#define GUARD_DUMP_MAX (4 * 1024 * 1024)
/* patterns of one judgement that take too long: then everything left is doubted */
#define GUARD_ERRORS_MAX 3

/* the greater is the stricter */
enum guard_verdict { GUARD_ALLOW, GUARD_WARN, GUARD_APPROVE, GUARD_DENY };
const char *guard_verdict_name(enum guard_verdict verdict);

struct guard;
struct guards;

/* ---- loading ---- */

/* The map under `guards`; NULL: no guards. Roles are checked by guards_check_roles(). */
int guards_load(const struct yaml *map, struct guards **ret, struct err *err);
void guards_free(struct guards *guards);
/* NULL: no such guard */
size_t guards_count(const struct guards *guards);
const struct guard *guards_at(const struct guards *guards, size_t index);
const struct guard *guards_find(const struct guards *guards, const char *name);
/* Every role in a `by` must be one that has_role knows; the error says where it stands. */
int guards_check_roles(const struct guards *guards,
	bool (*has_role)(const char *role, const void *arg), const void *arg, struct err *err);
/* Patterns that say less than it seems: each as a sentence, with where it stands in its file.
 * 0 or -ENOMEM */
typedef void guard_warning_fn(unsigned line, unsigned column, const char *text, void *arg);
int guards_warn(const struct guards *guards, guard_warning_fn *say, void *arg);
/* the `guards` key as YAML, as parsed; nothing without guards */
int guards_dump(const struct guards *guards, struct buf *out);
int guard_dump(const struct guard *guard, struct buf *out); /* one of them: "  name:\n    …" */
size_t guard_entries(const struct guard *guard);

const char *guard_name(const struct guard *guard);
/* of lines in a shell that cannot be read: allow, warn (the default) or deny */
enum guard_verdict guard_blind(const struct guard *guard);
bool guard_can_hold(const struct guard *guard); /* has an entry that approves */
/* what a doubt is worth; where `on_doubt` is not written: approve where the guard can, else deny */
enum guard_verdict guard_on_doubt(const struct guard *guard);

/* ---- judging ---- */

struct guard_mark { /* the verdict of one part of the line */
	enum guard_verdict verdict;
	int entry; /* index in the guard of the entry that decided, or -1 */
	/* of that entry, borrowed from the guard; NULL: none matched, or a doubt decided */
	const char *pattern;
	bool doubtful; /* raised by a doubt about this part */
	bool names;    /* the pattern names this very program: "python3 *", and not "*" */
};

#define JUDGEMENT_REASON_MAX 512
struct judgement {
	enum guard_verdict verdict;
	char reason[JUDGEMENT_REASON_MAX]; /* complete sentence part for a human, nothing in it can
					      be forged: "guard 'prod' denies 'mkfs.ext4 /dev/sda'
					      (mkfs*)" */
	/* GUARD_APPROVE: who may vote, NULL-terminated, names borrowed from the guard; else NULL */
	const char **by;
	struct shell_line line;	  /* the parts, and the doubts about them */
	struct guard_mark *marks; /* one for each of line.commands */
};

/* 0 or -ENOMEM; the caller takes -ENOMEM as deny. The guard must outlive the judgement. Roles that
 * may approve: those that every entry that holds the line names; when no role is in all of them the
 * line is denied. */
int guard_judge(const struct guard *guard, struct bytes line, struct judgement *ret);
/* The same for a line that was typed at a prompt of an unknown shell (SHELL_TYPED). One that is
 * unfinished (an open quote, `for x in a b; do`) runs nothing before the rest has come and is
 * judged whole then: that its end is missing is no doubt. */
int guard_judge_typed(const struct guard *guard, struct bytes line, struct judgement *ret);
/* The same for the last line of those, alone, judged besides the whole: only what a pattern denies
 * or holds counts. */
int guard_judge_fragment(const struct guard *guard, struct bytes line, struct judgement *ret);
/* The same three, where it is known which shell the login has: SHELL_BASH and the others
 * (shellwords.h); 0: any, and the strictest reading counts. */
int guard_judge_for(
	const struct guard *guard, unsigned shells, struct bytes line, struct judgement *ret);
int guard_judge_typed_for(
	const struct guard *guard, unsigned shells, struct bytes line, struct judgement *ret);
int guard_judge_fragment_for(
	const struct guard *guard, unsigned shells, struct bytes line, struct judgement *ret);
void judgement_release(struct judgement *judgement);
#define JUDGEMENT_CLEANUP __attribute__((cleanup(judgement_release)))

/* {verdict, reason, by, commands: [{command, program, via, remote, verdict, pattern, entry}],
 * unclear: [{reason, at}]}; texts in visible form. NULL: no memory. With the kinds "assignment" and
 * "redirection" in `what` for parts that are no commands. */
json_t *judgement_json(const struct judgement *judgement);

#endif

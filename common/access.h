/* The shared vocabulary: who asks for access to what, the decision, and what it demands
 * (ARCHITECTURE.md, "Words").
 *
 * Data only. Strings are owned by whoever fills the struct; identity_free() frees those of an
 * identity. */
#ifndef BARTIZAN_ACCESS_H
#define BARTIZAN_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/buf.h"

/* Exit status of the gateway's own refusals. */
#define EXIT_GATEWAY 70	    /* a fault of the gateway */
#define EXIT_UNREACHABLE 69 /* the target cannot be reached */
#define EXIT_WAIT 75	    /* waiting or timed out: try again */
#define EXIT_DENIED 77

enum access_kind {
	ACCESS_SHELL,
	ACCESS_EXEC,
	ACCESS_SFTP,
	ACCESS_SUBSYSTEM,
	ACCESS_LOCAL_FORWARD,
	ACCESS_REMOTE_FORWARD,
	ACCESS_AGENT,
	ACCESS_X11,
	ACCESS_TUNNEL,
	ACCESS_KINDS
};
const char *access_kind_name(enum access_kind kind);		/* "shell", …, "local-forward" */
int access_kind_parse(const char *name, enum access_kind *ret); /* -EINVAL */

struct identity {
	char *user; /* text_name_ok */
	/* where the user comes from: "local", a provider's name, "ca:SHA256:…" of a trusted CA */
	char *provider;
	/* the provider's subject: identities are compared by provider + subject */
	char *subject;
	char **groups; /* NULL-terminated, never NULL */
	size_t group_count;
	uint64_t serial; /* of the certificate, 0 when none */
	char *key_id;
	char *key_fp;	     /* SHA256:… of the proved key */
	char *ca_fp;	     /* SHA256:… of the certificate's CA */
	int64_t expires;     /* seconds since the epoch; INT64_MAX: never */
	unsigned rights;     /* SSHCERT_PTY | … */
	char *force_command; /* NULL when none */
	/* when the person last proved who they are to the provider, seconds since the epoch; 0:
	 * unknown, or no person */
	int64_t login_time;
	bool machine; /* a workload: its login was a token, not a person */
	/* the token's claims that roles can match, ended by a NULL name; NULL: none */
	struct claim *claims;
};

struct claim {
	char *name, *value;
};
#define IDENTITY_CLAIMS_MAX 32

void identity_free(struct identity *identity);
void identity_freep(struct identity **identity);
struct identity *identity_copy(const struct identity *identity);	/* NULL without memory */
bool identity_same(const struct identity *a, const struct identity *b); /* provider and subject */
bool identity_in_group(const struct identity *identity, const char *group);

struct access { /* one access that is asked for; all borrowed */
	const struct identity *who;
	struct addr source;
	const char *target; /* name as asked */
	const char *login;  /* account on the target */
	enum access_kind kind;
	struct bytes detail; /* exec: the command; subsystem: its name; forward: "host:port" */
	int64_t now;	     /* seconds since the epoch */
};

enum verdict { VERDICT_DENY, VERDICT_HOLD, VERDICT_ALLOW };
const char *verdict_name(enum verdict verdict); /* "deny", "hold", "allow" */

enum hold { /* what a held access waits for */
	HOLD_NONE,
	HOLD_LOGIN,    /* a login that is recent enough */
	HOLD_APPROVAL, /* votes */
};
const char *hold_name(enum hold hold); /* "none", "login", "approval" */

struct obligations {	      /* conditions under which an access is allowed */
	bool record;	      /* a transcript is written */
	bool record_required; /* without a transcript the access must end */
	bool record_input;    /* keep what the user types, too */
	int64_t idle;	      /* milliseconds; 0: no limit */
	int64_t session;      /* milliseconds of a session's whole life; 0: no limit */
};

struct approval_rule; /* policy/approval_rule.h */
struct guard;	      /* policy/guard.h */
struct env_rule;      /* policy/env.h */

#define DECISION_REASON_MAX 512
struct decision { /* what is borrowed lives as long as the ruleset */
	enum verdict verdict;
	const char *rule; /* borrowed from the ruleset; NULL: no rule matched */
	/* complete sentence part for a human: "rule 'no-root' denies login 'root'" */
	char reason[DECISION_REASON_MAX];
	/* of an allow; with HOLD_APPROVAL, of the allow after the votes */
	struct obligations obligations;
	enum hold hold;		/* HOLD_NONE unless verdict is VERDICT_HOLD */
	int64_t login_within_s; /* of HOLD_LOGIN: how many seconds old a login may be */
	const struct approval_rule *approval; /* of HOLD_APPROVAL, else NULL */
	/* judges the command of this exec or the lines of this shell, when the caller asks it;
	 * NULL: none */
	const struct guard *guard;
	const char *guard_name;
	const struct env_rule *env; /* which variables go to the target; NULL: nothing is allowed */
	unsigned shells;	    /* that the login may have, for guard_judge_for(); 0: any */
	/* allowed at once, but a reason is required and everybody is notified */
	bool break_glass;
	bool review; /* needs a review that somebody else signs */
};

#endif

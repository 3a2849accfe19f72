/* Cases that are data only: a policy, requests, and what must be answered. For `bartizan policy
 *test FILE` and the tests.
 *
 * The file is YAML:
 *	policy:                      # a map with targets, roles, guards and rules (targets need
 *only name and labels), # or the same as one text, or the path of a configuration, relative to this
 *file cases:
 *	  - name: alice may
 *	    user: alice
 *	    groups: [sre]            # none when left out
 *	    claims: {repository: a/b} # of the token, by name and value or values; none when left
 *out machine: true            # a workload; false when left out login_age: 3h            # how long
 *before `at` the person logged in; unknown when left out rights: [agent]          # what the
 *certificate permits: port-forwarding, agent, x11; all when left out target: web1 login: deploy
 *	    kind: exec               # or any: could anything be allowed?
 *	    command: uptime          # of exec; for other kinds the detail: a subsystem's name,
 *host:port source: 10.0.0.1         # unknown when left out at: 2026-11-23T10:00:00Z # 1970 when
 *left out expect: allow            # allow | deny | hold hold: login              # optional, of
 *hold: login | approval break_glass: true        # optional: whether the allow is one for
 *emergencies voter: true              # optional, of hold for approval: whether this very
 *identity's role may vote (not on its own request) rule: staging            # optional; null: no
 *rule decided reason: allows exec      # optional: words of the reason */
#ifndef BARTIZAN_CASERUN_H
#define BARTIZAN_CASERUN_H

#include <stdbool.h>

#include "common/err.h"
#include "common/files.h"

#define CASERUN_CASES_MAX 10000
#define CASERUN_DETAIL_MAX 1024

/* report is called for each case in order; detail says what was decided, or what is wrong. Returns
 * the number of cases that failed, or -errno when the file cannot be used. */
int caserun(struct files *files, const char *path,
	void (*report)(const char *name, bool ok, const char *detail, void *arg), void *arg,
	struct err *err);

#endif

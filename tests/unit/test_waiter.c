/* Whoever waits for people. First the list itself, with operations that do the worst they may; then each kind of waiter in a real broker, with each way
 * in which its wait can go on or end; then everything at once. */
#include "tests/unit/login_world.h"

#include "common/typed_line.h"
#include "server/broker/approval/queue.h"
#include "server/broker/core/peer.h"
#include "store/approvals.h"

/* ---- the list, with waiters made here ---- */

#define MADE_MAX 64

enum act { ACT_NOTHING, ACT_END, ACT_END_ANOTHER, ACT_END_ALL, ACT_BEGIN, ACT_WALK, ACTS };

struct made {
	struct waiter waiter;
	bool alive;
	unsigned visits;
	enum act act;
	char said[REFUSAL_WORDS_MAX + 32];
};

static struct bench {
	struct scratch scratch;
	struct broker broker;
	struct broker_private private;
	struct queue queue;
	struct client client;
	struct peer_leg legs[2];
	int far; /* the other end of the client's link */
	struct made made[MADE_MAX];
	unsigned count, turns, depth;
} bench;
static uint32_t seed = 20261128;

static uint32_t dice(uint32_t sides)
{
	seed ^= seed << 13, seed ^= seed >> 17, seed ^= seed << 5;
	return seed % sides;
}

static struct made *made_of(struct waiter *waiter)
{
	return (struct made *)(void *)waiter;
}

static const struct waiter_ops made_ops;

static struct made *make(const char *id, unsigned leg, uint32_t channel)
{
	if (bench.count == MADE_MAX)
		return NULL;
	struct made *made = &bench.made[bench.count++];
	*made = (struct made){ .alive = true };
	assert_int_equal(waiter_begin(&made->waiter, &made_ops, &bench.legs[leg], channel), 0);
	snprintf(made->waiter.id, sizeof(made->waiter.id), "%s", id);
	return made;
}

static void made_end(struct made *made)
{
	assert_true(made->alive);
	made->alive = false;
	waiter_end(&made->waiter);
	memset(&made->waiter, 0xa5, sizeof(made->waiter)); /* as if it had been freed: nobody looks at it any more */
}

static void made_refresh(struct waiter *waiter)
{
	struct made *made = made_of(waiter);
	assert_true(made->alive);
	made->visits++;
	bench.turns++;
	if (made->act == ACT_END) {
		made_end(made);
	} else if (made->act == ACT_END_ANOTHER) {
		struct made *other = &bench.made[dice(bench.count)];
		if (other->alive)
			made_end(other);
	} else if (made->act == ACT_END_ALL) {
		for (unsigned i = 0; i < bench.count; i++)
			if (bench.made[i].alive)
				made_end(&bench.made[i]);
	} else if (made->act == ACT_BEGIN) {
		make("", 0, 0);
	} else if (made->act == ACT_WALK && bench.depth < 3) {
		bench.depth++;
		waiters_refresh(&bench.broker);
		bench.depth--;
	}
}

static void made_changed(struct waiter *waiter, const struct approval *approval)
{
	snprintf(made_of(waiter)->said, sizeof(made_of(waiter)->said), "changed %s", approval ? approval_state_name(approval->state) : "withdrawn");
	bench.turns++;
	if (made_of(waiter)->act == ACT_END_ALL)
		made_refresh(waiter);
}

static int made_recheck(struct waiter *waiter, struct err *err)
{
	bench.turns++;
	return made_of(waiter)->act == ACT_END ? err_set(err, -EACCES, "not this one") : 0;
}

static void made_give_up(struct waiter *waiter, const struct refusal *refusal, const struct approval *approval)
{
	struct made *made = made_of(waiter);
	snprintf(made->said, sizeof(made->said), "%u %s%s", refusal->exit, approval ? "" : "(no request) ", refusal->words);
	made_end(made);
}

static void made_drop(struct waiter *waiter)
{
	made_end(made_of(waiter));
}

static const struct waiter_ops made_ops = { made_changed, made_refresh, made_recheck, made_give_up, made_drop };

static void no_message(struct link *link, struct ipc_raw *raw)
{
	(void)link, (void)raw;
}

static void no_close(struct link *link, const char *why)
{
	(void)link, (void)why;
}

static const struct link_ops link_ops = { no_message, no_close, NULL };

static void no_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
}

static int bench_up(void **state)
{
	(void)state;
	int pair[2];
	memset(&bench, 0, sizeof(bench));
	bench.scratch = scratch_new();
	bench.broker.private = &bench.private;
	bench.private.queue = &bench.queue;
	assert_non_null(bench.broker.base = event_base_new());
	assert_non_null(bench.queue.live = evtimer_new(bench.broker.base, no_timer, NULL));
	assert_int_equal(store_open(bench.scratch.fd, false, &bench.broker.store, NULL), 0);
	assert_int_equal(fd_pair(SOCK_SEQPACKET, pair), 0);
	bench.client = (struct client){ .broker = &bench.broker, .state = CLIENT_AUTHENTICATED };
	assert_int_equal(link_open(&bench.client.link, bench.broker.base, pair[0], &link_ops, &bench.client), 0);
	bench.far = pair[1];
	bench.legs[0].client = bench.legs[1].client = &bench.client;
	return waiters_open(&bench.broker);
}

static int bench_down(void **state)
{
	(void)state;
	waiters_close(&bench.broker);
	link_close(&bench.client.link);
	event_free(bench.queue.live);
	close(bench.far);
	store_close(bench.broker.store);
	event_base_free(bench.broker.base);
	scratch_remove(&bench.scratch);
	return 0;
}

/* Some have begun while a walk was under way, others have ended: each that was there and stayed has had its turn, once. */
static void test_walk(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		bool ends = false, nested = false;
		bench.count = 0;
		unsigned there = 1 + dice(8);
		for (unsigned i = 0; i < there; i++) {
			struct made *made = make("", 0, 0);
			made->act = dice(ACTS);
			ends |= made->act == ACT_END_ANOTHER || made->act == ACT_END_ALL;
			nested |= made->act == ACT_WALK;
		}
		waiters_refresh(&bench.broker);
		for (unsigned i = 0; i < bench.count; i++) {
			const struct made *made = &bench.made[i];
			if (i < there && !ends && !nested)
				assert_int_equal(made->visits, 1);
			else if (i >= there && !nested)
				assert_int_equal(made->visits, 0);
			if (i < there && made->alive)
				assert_true(made->visits);
		}
		for (unsigned i = 0; i < bench.count; i++)
			if (bench.made[i].alive)
				made_end(&bench.made[i]);
		assert_true(LIST_EMPTY(&bench.queue.waiters) && !bench.queue.walk);
	}
	assert_false(waiters_refresh(&bench.broker));
}

static void new_request(char id[static ID_SHORT_LEN + 1])
{
	static const struct approval_limits limits = { 100, 100 };
	struct approval approval = { .provider = strdup("corp"), .subject = strdup("alice"), .user = strdup("alice"), .source = strdup("127.0.0.1"),
		.target = strdup("db1"), .login = strdup("deploy"), .kind = strdup("exec"), .rule = strdup("prod"), .by = strdup("lead"),
		.command = BUF_INIT(APPROVALS_COMMAND_MAX), .reason = strdup(""), .votes_needed = 1, .deadline = 1000, .window = 500 };
	assert_int_equal(approvals_create(bench.broker.store, &approval, 1, &limits, NULL), 0);
	memcpy(id, approval.id, ID_SHORT_LEN + 1);
	approval_release(&approval);
}

static void vote_on(const char *id, bool approve)
{
	struct identity bob = { .user = (char[]){ "bob" }, .provider = (char[]){ "corp" }, .subject = (char[]){ "bob" }, .groups = (char *[]){ NULL } };
	struct vote vote = { .who = &bob, .approve = approve, .note = "because" };
	enum approval_state ignored;
	assert_int_equal(approvals_vote(bench.broker.store, id, &vote, 1, 2, &ignored, NULL), 0);
}

static void loop(void)
{
	event_base_loop(bench.broker.base, EVLOOP_NONBLOCK);
}

/* Nobody is called from inside a change; those who wait for another request are not called at all. */
static void test_changed(void **state)
{
	(void)state;
	char first[ID_SHORT_LEN + 1], second[ID_SHORT_LEN + 1];
	new_request(first), new_request(second);
	struct made *one = make(first, 0, 1), *two = make(first, 0, 2), *other = make(second, 0, 3), *none = make("", 0, 4);
	assert_int_equal(waiters_count(&bench.broker, first), 2);
	waiters_changed(&bench.broker, first, WAITER_CHANGED);
	assert_int_equal(bench.turns, 0);
	loop();
	assert_string_equal(one->said, "changed pending");
	assert_string_equal(two->said, "changed pending");
	assert_true(!*other->said && !*none->said && bench.turns == 2);
	vote_on(first, true); /* two changes before the loop turns are one */
	waiters_changed(&bench.broker, first, WAITER_CHANGED);
	waiters_changed(&bench.broker, first, WAITER_CHANGED);
	loop(), loop();
	assert_string_equal(one->said, "changed approved");
	assert_int_equal(bench.turns, 4);
	vote_on(second, false);
	waiters_changed(&bench.broker, second, WAITER_CHANGED);
	loop();
	assert_non_null(strstr(other->said, "was denied by bob: because"));
	assert_false(other->alive);
	made_end(one), made_end(two), made_end(none);
}

/* The policy's withdrawal is no end, whatever else happened to the request; and whoever waits for another one by then is not concerned. */
static void test_withdrawn(void **state)
{
	(void)state;
	char id[ID_SHORT_LEN + 1], next[ID_SHORT_LEN + 1];
	struct approval approval = { 0 };
	new_request(id), new_request(next);
	struct made *one = make(id, 0, 1), *two = make(id, 0, 2);
	vote_on(id, false);
	waiters_changed(&bench.broker, id, WAITER_WITHDRAWN);
	waiters_changed(&bench.broker, id, WAITER_CHANGED);
	assert_int_equal(approvals_get(bench.broker.store, next, &approval, NULL), 0);
	assert_true(waiter_set(&two->waiter, &approval));
	assert_false(waiter_set(&two->waiter, &approval));
	approval_release(&approval);
	loop();
	assert_string_equal(one->said, "changed withdrawn");
	assert_string_equal(two->said, "");
	one->act = ACT_END_ALL; /* the first of them that is woken ends all */
	snprintf(one->waiter.id, sizeof(one->waiter.id), "%s", next);
	two->act = ACT_END_ALL;
	waiters_changed(&bench.broker, next, WAITER_CHANGED);
	loop();
	assert_true(!one->alive && !two->alive && LIST_EMPTY(&bench.queue.waiters));
}

static void test_the_rest(void **state)
{
	(void)state;
	struct err err = { 0 };
	struct made *one = make("AAAAA", 0, 1), *two = make("AAAAA", 0, 2), *three = make("BBBBB", 1, 1), *none = make("", 1, 2);
	assert_int_equal(waiters_recheck(&bench.broker, "AAAAA", &err), 0);
	assert_int_equal(bench.turns, 2);
	two->act = ACT_END;
	assert_int_equal(waiters_recheck(&bench.broker, "AAAAA", &err), -EACCES);
	assert_string_equal(err.text, "not this one");
	assert_int_equal(waiters_recheck(&bench.broker, "BBBBB", &err), 0);
	waiters_leave_channel(&bench.legs[0], 2);
	assert_true(one->alive && !two->alive && three->alive);
	waiters_leave(&bench.legs[0]);
	assert_true(!one->alive && three->alive && none->alive);
	waiters_stop(&bench.broker);
	assert_string_equal(three->said, "75 (no request) the gateway was stopped; request BBBBB stays: run the same command again");
	assert_string_equal(none->said, "75 (no request) the gateway was stopped: run the same command again");
}

/* Whoever cannot be told anything is not asked anything. */
static void test_out_of_reach(void **state)
{
	(void)state;
	struct err err;
	struct made *one = make("AAAAA", 0, 1);
	one->act = ACT_END;
	bench.client.state = CLIENT_LIMITED;
	assert_int_equal(waiters_recheck(&bench.broker, "AAAAA", &err), 0);
	waiters_changed(&bench.broker, "AAAAA", WAITER_WITHDRAWN);
	loop();
	assert_true(waiters_refresh(&bench.broker));
	assert_true(one->alive && !bench.turns);
	made_end(one);
}

static void test_limit(void **state)
{
	(void)state;
	static struct waiter waiters[WAITERS_PER_CLIENT_MAX + 1];
	struct client another = { .broker = &bench.broker };
	struct peer_leg leg = { .client = &another };
	for (unsigned i = 0; i < WAITERS_PER_CLIENT_MAX; i++)
		assert_int_equal(waiter_begin(&waiters[i], &made_ops, &bench.legs[i % 2], i), 0);
	assert_int_equal(waiter_begin(&waiters[WAITERS_PER_CLIENT_MAX], &made_ops, &bench.legs[0], 9), -EAGAIN);
	assert_int_equal(waiter_begin(&waiters[WAITERS_PER_CLIENT_MAX], &made_ops, &leg, 9), 0);
	for (unsigned i = 0; i <= WAITERS_PER_CLIENT_MAX; i++)
		waiter_end(&waiters[i]);
}

/* ---- each kind, in a real broker ---- */

#define TOP "providers: [{name: corp, issuer: '" ISSUER "', client_id: bartizan, user: name, groups: groups, algorithms: [EdDSA]}]" \
	"\nroles: {sre: {groups: [sre]}, lead: {groups: [leads]}, glass: {groups: [glass]}}\n" \
	"guards: {g: [%s{approve: ['rm *'], by: lead}, {allow: ['*']}]}\nrules:\n%s"
#define RULE_FRESH "  - {name: fresh, allow: [exec], roles: [sre], logins: [fresh], login_within: 15m}\n"
#define RULE_REASON "  - {name: reason, allow: [exec], roles: [sre], logins: [reason], approval: {by: lead, uses: 1, reason: required}}\n"
#define RULE_ASKED(votes) "  - {name: asked, allow: [exec], roles: [sre], logins: [asked], approval: {by: lead, uses: 1, votes: " votes "}}\n"
#define FREEZE "  - {name: freeze, deny: '*'}\n"
#define NORMAL RULE_FRESH RULE_REASON RULE_ASKED("1")

static struct peer *session;

static char *rules_of(const char *guard, const char *rules, const char *typed)
{
	static char text[4096], all[2048];
	snprintf(all, sizeof(all), "%s  - {name: typed, allow: [shell], roles: [sre], logins: [typed], guard: g%s}\n", rules, typed);
	snprintf(text, sizeof(text), TOP, guard, all);
	return text;
}

/* A connection of alice, whose login is an hour old. */
static struct peer *alice(void)
{
	struct peer *peer = half_in(world.alice);
	begin_login(peer);
	login_done(login_started("corp", -1), &(struct token){ .user = "alice", .auth_age = 3600 });
	expect_in(peer, "alice");
	return peer;
}

static void up(void)
{
	world_up(rules_of("", NORMAL, ""));
	provider_new_key();
	provider_state("corp", "k1");
	know("bob", "leads");
	session = alice();
}

static void leg_of(struct peer *peer, uint32_t leg, const char *login)
{
	struct heard *answer = name_leg(peer, leg, "web1", login);
	if (!MSG(answer, msg_leg_answer)->ok)
		fail_msg("%s", MSG(answer, msg_leg_answer)->reason);
	done(answer);
}

static void ask_for(struct peer *peer, uint32_t leg, uint32_t channel, enum access_kind kind, bool pty)
{
	struct msg_access msg = { .leg = leg, .channel = channel, .kind = kind, .pty = pty, .term = (char[]){ "xterm" }, .columns = 80, .rows = 24 };
	if (kind == ACCESS_EXEC)
		msg.detail = (struct bytes){ (const uint8_t *)"id", 2 };
	say(peer, IPC_ACCESS, 0, &msg, -1);
}

static void wait_login(struct peer *peer, uint32_t leg)
{
	leg_of(peer, leg, "fresh");
	ask_for(peer, leg, 0, ACCESS_EXEC, true);
	done(expect(peer, IPC_WAIT));
	login_code(login_started("corp", 900), "FRSH-FRSH");
	done(expect(peer, IPC_WAIT));
}

static void wait_answer(struct peer *peer, uint32_t leg)
{
	leg_of(peer, leg, "reason");
	ask_for(peer, leg, 0, ACCESS_EXEC, true);
	done(expect(peer, IPC_ASK));
}

static void wait_request(struct peer *peer, uint32_t leg)
{
	leg_of(peer, leg, "asked");
	ask_for(peer, leg, 0, ACCESS_EXEC, true);
	done(expect(peer, IPC_WAIT));
}

static void type_line(struct peer *peer, uint32_t leg, uint32_t line, const char *text)
{
	BUF_CLEANUP struct buf texts = BUF_INIT(IPC_LINE_TEXTS_MAX);
	assert_int_equal(wire_put_u8(&texts, 0), 0);
	assert_int_equal(wire_put_cstring(&texts, text), 0);
	say(peer, IPC_LINE, 0, &(struct msg_line){ .leg = leg, .line = line, .why = (char[]){ "" }, .texts = buf_bytes(&texts) }, -1);
}

static void expect_line(struct peer *peer, enum line_verdict verdict, const char *words)
{
	struct heard *heard = expect(peer, IPC_LINE_VERDICT);
	if (MSG(heard, msg_line_verdict)->verdict != verdict || !strstr(MSG(heard, msg_line_verdict)->notice, words))
		fail_msg("%u: %s, expected %u: %s", MSG(heard, msg_line_verdict)->verdict, MSG(heard, msg_line_verdict)->notice, verdict, words);
	done(heard);
}

static void wait_line(struct peer *peer, uint32_t leg)
{
	leg_of(peer, leg, "typed");
	ask_for(peer, leg, 0, ACCESS_SHELL, true);
	struct heard *decision = expect(peer, IPC_DECISION);
	assert_true(MSG(decision, msg_decision)->guard);
	done(decision);
	type_line(peer, leg, 1, "rm x");
	expect_line(peer, LINE_HOLD, "needs 1 vote");
}

static void expect_answer(struct peer *peer, enum verdict verdict, unsigned exit, const char *words)
{
	struct heard *decision = expect(peer, IPC_DECISION);
	const struct msg_decision *msg = MSG(decision, msg_decision);
	if (msg->verdict != verdict || msg->exit != exit || !strstr(msg->reason, words))
		fail_msg("%u, %u: %s, expected %u, %u: %s", msg->verdict, msg->exit, msg->reason, verdict, exit, words);
	done(decision);
}

static const struct kind {
	const char *name;
	void (*wait)(struct peer *peer, uint32_t leg);
	bool request, line;
} kinds[] = {
	{ "a login", wait_login, false, false },
	{ "an answer", wait_answer, false, false },
	{ "a request", wait_request, true, false },
	{ "a line", wait_line, true, true },
};

static int first_pending(const struct approval *approval, void *context)
{
	if (approval->state == APPROVAL_PENDING)
		memcpy(context, approval->id, sizeof(approval->id));
	return 0;
}

/* "": none is pending */
static const char *pending(void)
{
	static char id[ID_SHORT_LEN + 1];
	struct store *store = NULL;
	const struct approval_filter filter = { .state = APPROVAL_PENDING, .limit = 16 };
	struct err err;
	*id = 0;
	if (store_open(world.scratch.fd, true, &store, &err) || approvals_each(store, &filter, 0, first_pending, id, &err))
		fail_msg("%s", err.text);
	store_close(store);
	return id;
}

/* Everything that was said before has been dealt with. */
static void settled(struct peer *peer)
{
	BUF_CLEANUP struct buf out = BUF_INIT(8192);
	static uint32_t channel = 1000;
	command_in(peer, ++channel, NULL, &out, (char *[]){ (char *)"whoami", NULL });
}

static unsigned approve(const char *id, const char *words)
{
	BUF_CLEANUP struct buf out = BUF_INIT(8192);
	struct peer *bob = login_as("bob");
	char kept[ID_SHORT_LEN + 1];
	snprintf(kept, sizeof(kept), "%s", id);
	unsigned status = command_in(bob, 1, NULL, &out, (char *[]){ (char *)"approve", kept, NULL });
	if (!strstr(buf_cstr(&out), words))
		fail_msg("'%s' is not in '%s'", words, buf_cstr(&out));
	return status;
}

static void reload(const char *config)
{
	static uint64_t generation = 1;
	int bundle = bundle_of(config_text(config));
	say(world.parent, IPC_CONF, 0, &(struct msg_conf){ ++generation }, bundle);
	close(bundle);
	roles_send();
	done(expect(world.parent, IPC_CONF_TAKEN));
}

static void cancel(const struct kind *kind)
{
	if (kind->line)
		say(session, IPC_LINE_END, 0, &(struct msg_line_end){ .leg = 1, .line = 1, .end = (char[]){ "cancelled" }, .confidence = (char[]){ "exact" },
			.why = (char[]){ "" } }, -1);
	else
		say(session, IPC_ACCESS_CANCEL, 0, &(struct msg_access_cancel){ 1, 0 }, -1);
	settled(session);
	assert_string_equal(pending(), "");
}

static void channel_ends(const struct kind *kind)
{
	end_channel(session, 1, 0);
	settled(session);
	assert_int_equal(*pending() != 0, kind->request);
}

static void leg_ends(const struct kind *kind)
{
	end_leg(session, 1, "");
	settled(session);
	assert_int_equal(*pending() != 0, kind->request);
}

/* The process is gone; so is what it waited for in the broker's memory. A vote comes too late for it, and for nobody else. */
static void connection_is_lost(const struct kind *kind)
{
	peer_close(session);
	client_gone_with(world.connection, 0);
	session = NULL;
	if (kind->request)
		assert_int_equal(approve(pending(), "approved"), 0);
	else
		settled(login_as("bob"));
}

static void gateway_stops(const struct kind *kind)
{
	peer_close(world.parent);
	if (kind->line)
		expect_line(session, LINE_DENY, "stays: run the same command again");
	else
		expect_answer(session, VERDICT_DENY, 75, "the gateway was stopped");
	if (kind->request)
		assert_string_not_equal(pending(), "");
}

static void voted_for(const struct kind *kind)
{
	if (!kind->request)
		return;
	assert_int_equal(approve(pending(), "approved"), 0);
	if (kind->line) {
		expect_line(session, LINE_HOLD, "approved by bob");
		expect_line(session, LINE_ALLOW, "");
	} else {
		expect_answer(session, VERDICT_ALLOW, 0, "approved by bob");
	}
}

/* The policy denies it by now: before the deciding vote counts it is asked again, and nothing opens. */
static void denied_meanwhile(const struct kind *kind)
{
	if (!kind->request)
		return;
	char id[ID_SHORT_LEN + 1];
	snprintf(id, sizeof(id), "%s", pending());
	reload(rules_of("", FREEZE NORMAL, ""));
	assert_int_equal(approve(id, "the policy does not allow it now"), 77);
	if (kind->line)
		expect_line(session, LINE_DENY, "freeze");
	else
		expect_answer(session, VERDICT_DENY, 77, "freeze");
	assert_string_equal(pending(), "");
}

static void guard_denies_meanwhile(const struct kind *kind)
{
	if (!kind->line)
		return;
	char id[ID_SHORT_LEN + 1];
	snprintf(id, sizeof(id), "%s", pending());
	reload(rules_of("{deny: ['rm x']}, ", NORMAL, ""));
	assert_int_equal(approve(id, "guard 'g' denies 'rm x'"), 77);
	expect_line(session, LINE_DENY, "guard 'g' denies 'rm x'");
}

static const struct way { const char *name; void (*go)(const struct kind *kind); } ways[] = {
	{ "cancelled", cancel }, { "the channel ends", channel_ends }, { "the leg ends", leg_ends }, { "the connection is lost", connection_is_lost },
	{ "the gateway stops", gateway_stops }, { "voted for", voted_for }, { "denied meanwhile", denied_meanwhile },
	{ "denied by the guard meanwhile", guard_denies_meanwhile },
};

static void test_each_kind_each_way(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++)
		for (size_t j = 0; j < COUNT(ways); j++) {
			if (getenv("BROKER_LOG"))
				print_message("%s: %s\n", kinds[i].name, ways[j].name);
			up();
			kinds[i].wait(session, 1);
			ways[j].go(&kinds[i]);
			if (session && !world.parent->gone)
				settled(session);
			world_down();
		}
}

/* The policy asks for more votes by now: the vote that was enough is not any more, and all who waited wait for the new request, each on its connection. */
static void test_all_go_on_waiting(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		struct peer *others[3];
		char id[ID_SHORT_LEN + 1];
		if (!kinds[i].request)
			continue;
		up();
		kinds[i].wait(session, 1);
		for (size_t j = 0; j < COUNT(others); j++) {
			others[j] = connect_client();
			done(offer(others[j], "alice", world.alice, true));
			done(expect(world.parent, IPC_AUTHENTICATED));
			kinds[i].wait(others[j], 1);
		}
		snprintf(id, sizeof(id), "%s", pending());
		reload(rules_of("", RULE_FRESH RULE_REASON RULE_ASKED("2"), ", approval: {by: lead, votes: 2}"));
		approve(id, "");
		for (size_t j = 0; j <= COUNT(others); j++) {
			struct peer *peer = j ? others[j - 1] : session;
			struct heard *heard = NULL;
			const char *text;
			do {
				if (heard)
					done(heard);
				heard = expect(peer, kinds[i].line ? IPC_LINE_VERDICT : IPC_WAIT);
				text = kinds[i].line ? MSG(heard, msg_line_verdict)->notice : MSG(heard, msg_wait)->text;
			} while (!strstr(text, "needs"));
			assert_non_null(strstr(text, "2 votes"));
			assert_null(strstr(text, id));
			done(heard);
			assert_null(take(peer, IPC_DECISION));
		}
		world_down();
	}
}

/* Two wait for one request, and the session of one is about to end: that is no word of the policy, and the vote counts for the other. */
static void test_one_that_ends_has_no_say(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf out = BUF_INIT(8192);
	char ulid[ID_ULID_LEN + 1];
	up();
	struct heard *answer = name_leg(session, 1, "web1", "asked");
	snprintf(ulid, sizeof(ulid), "%s", MSG(answer, msg_leg_answer)->session);
	done(answer);
	ask_for(session, 1, 0, ACCESS_EXEC, true);
	done(expect(session, IPC_WAIT));
	assert_int_equal(approve(pending(), "approved"), 0);
	expect_answer(session, VERDICT_ALLOW, 0, "");
	ask_for(session, 1, 1, ACCESS_EXEC, true);
	done(expect(session, IPC_WAIT));
	struct peer *other = connect_client();
	done(offer(other, "alice", world.alice, true));
	done(expect(world.parent, IPC_AUTHENTICATED));
	wait_request(other, 1);
	assert_int_equal(command_in(session, 50, NULL, &out, (char *[]){ (char *)"sessions", (char *)"kill", ulid, NULL }), 0);
	assert_int_equal(approve(pending(), "approved"), 0);
	expect_answer(other, VERDICT_ALLOW, 0, "");
	world_down();
}

/* ---- all of it at once ---- */

#define STORM_STEPS 1500
#define STORM_SESSIONS 4

static struct storming {
	struct peer *peer;
	uint64_t connection;
	uint32_t leg, line; /* the newest leg; its last line */
	unsigned kind;      /* what it asked for; COUNT(kinds): nothing, or it was refused */
} storming[STORM_SESSIONS];

static void storm_forget(void)
{
	while (world.heard) {
		struct heard *next = world.heard->next;
		if (world.heard->from == world.egress && world.heard->type == IPC_LOGIN_START)
			login_code(world.heard->id, "FRSH-FRSH");
		done(world.heard);
		world.heard = next;
	}
}

static void storm_connect(struct storming *one)
{
	if (one->peer) {
		link_drop(one->peer);
		client_gone_with(one->connection, 0);
	}
	*one = (struct storming){ .peer = connect_client(), .kind = COUNT(kinds) };
	one->connection = world.connection;
	say(one->peer, IPC_AUTH, 0, &(struct msg_auth){ true, (char[]){ "alice" }, sshkey_blob(world.alice) }, -1);
}

/* The next message of one of these types, or NULL when the session is gone. */
static struct heard *storm_hear(struct peer *peer, unsigned type, unsigned or)
{
	int64_t end = clock_mono_ms() + WAIT_MS;
	struct heard *heard;
	while (!(heard = take(peer, type)) && !(heard = take(peer, or)) && !peer->gone) {
		if (clock_mono_ms() > end)
			fail_msg("neither '%s' nor '%s' came", ipc_msg_name(type), ipc_msg_name(or));
		turn(20);
	}
	return heard;
}

static void storm_ask(struct storming *one)
{
	static const char *const logins[] = { "fresh", "reason", "asked", "typed" };
	unsigned kind = dice(COUNT(kinds));
	struct msg_leg msg = { .leg = ++one->leg, .mode = MODE_JUMP, .target = (char[]){ "web1" }, .login = (char *)logins[kind],
		.pubkey = sshkey_blob(world.alice) };
	one->kind = COUNT(kinds);
	one->line = 0;
	say(one->peer, IPC_LEG, 0, &msg, -1);
	struct heard *heard = storm_hear(one->peer, IPC_LEG_ANSWER, IPC_LEG_ANSWER);
	bool ok = heard && MSG(heard, msg_leg_answer)->ok;
	if (heard)
		done(heard);
	if (!ok)
		return;
	ask_for(one->peer, one->leg, 0, kinds[kind].line ? ACCESS_SHELL : ACCESS_EXEC, kinds[kind].line || dice(2));
	if (kinds[kind].line) {
		heard = storm_hear(one->peer, IPC_DECISION, IPC_WAIT); /* a shell may need an approval itself */
		ok = heard && heard->type == IPC_DECISION && MSG(heard, msg_decision)->verdict == VERDICT_ALLOW && MSG(heard, msg_decision)->guard;
		if (heard)
			done(heard);
	}
	if (ok)
		one->kind = kind;
}

static void storm_step(struct storming *one)
{
	uint32_t what = dice(10);
	bool waits = one->kind < COUNT(kinds), line = waits && kinds[one->kind].line;
	if (what < 3 || !waits) {
		storm_ask(one);
	} else if (what < 6 && line) {
		type_line(one->peer, one->leg, ++one->line, dice(2) ? "rm x" : "ls");
	} else if (what < 6) {
		struct msg_ask_answer msg = { .leg = one->leg, .given = dice(4), .text = { (const uint8_t *)"why", dice(4) } };
		say(one->peer, IPC_ASK_ANSWER, 0, &msg, -1);
	} else if (what == 6 && !line && !dice(4)) {
		say(one->peer, IPC_ACCESS_CANCEL, 0, &(struct msg_access_cancel){ one->leg, 0 }, -1);
	} else if (what == 7) {
		end_leg(one->peer, one->leg, "");
		one->kind = COUNT(kinds);
	} else if (what == 8) {
		storm_connect(one);
	}
}

static void storm_vote(void)
{
	static const char *const words[] = { "approve", "approve", "deny" };
	char id[ID_SHORT_LEN + 1];
	snprintf(id, sizeof(id), "%s", pending());
	struct peer *bob = *id ? login_as("bob") : NULL;
	if (!bob)
		return;
	say(bob, IPC_COMMAND, 0, &(struct msg_command){ .channel = 1,
		.argv = (char *[]){ (char *)words[dice(3)], id, (char[]){ "--note" }, (char[]){ "so" }, NULL } }, -1);
	done(expect(bob, IPC_COMMAND_EXIT));
	link_drop(bob);
	client_gone_with(world.connection, 0);
}

static void storm_reload(void)
{
	static const char *const rules[] = { NORMAL, NORMAL, RULE_FRESH RULE_REASON RULE_ASKED("2"), FREEZE NORMAL };
	struct peer *signer = world.signer, *egress = world.egress;
	unsigned at = dice(4);
	reload(rules_of(dice(4) ? "" : "{deny: ['rm x']}, ", rules[at], at == 2 ? ", approval: {by: lead, votes: 2}" : ""));
	link_drop(signer), link_drop(egress);
	provider_state("corp", "k1");
}

/* Everybody waits, votes, cancels, goes and comes back while the policy changes: the broker lives, and what it has written down verifies. */
static void test_storm(void **state)
{
	(void)state;
	up();
	for (size_t i = 0; i < STORM_SESSIONS; i++)
		storm_connect(&storming[i]);
	for (unsigned step = 0; step < STORM_STEPS; step++) {
		struct storming *one = &storming[dice(STORM_SESSIONS)];
		turn(0);
		storm_forget();
		if (one->peer->gone)
			storm_connect(one);
		else
			storm_step(one);
		if (!dice(6))
			storm_vote();
		if (!dice(120))
			storm_reload();
	}
	settled(login_as("bob"));
	static const char *const types[] = { "approval-requested", "approval-vote", "approval-cancelled", "access-held", "access-allowed", "access-denied",
		"line-judged" };
	for (size_t i = 0; i < COUNT(types); i++) /* that it has come to all of these: else it is no storm */
		if (events_of(types[i]).count < 5)
			fail_msg("%s: %u", types[i], events_of(types[i]).count);
	if (getenv("BROKER_LOG"))
		for (size_t i = 0; i < COUNT(types); i++)
			print_message("%s: %u\n", types[i], events_of(types[i]).count);
	assert_true(events_of("session-violation").count < STORM_STEPS / 20);
	world_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_walk, bench_up, bench_down), cmocka_unit_test_setup_teardown(test_changed, bench_up, bench_down),
		cmocka_unit_test_setup_teardown(test_withdrawn, bench_up, bench_down), cmocka_unit_test_setup_teardown(test_the_rest, bench_up, bench_down),
		cmocka_unit_test_setup_teardown(test_out_of_reach, bench_up, bench_down), cmocka_unit_test_setup_teardown(test_limit, bench_up, bench_down),
		cmocka_unit_test(test_each_kind_each_way), cmocka_unit_test(test_all_go_on_waiting), cmocka_unit_test(test_one_that_ends_has_no_say), cmocka_unit_test(test_storm),
	};
	signal(SIGPIPE, SIG_IGN);
	log_setup("test", LOG_ERROR_);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

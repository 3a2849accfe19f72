/* A storm: thousands of messages, well formed and in any order, from several sessions at once, while processes die, roles come and go, configurations
 * change. The broker must neither die nor leak a descriptor, and what it leaves must verify. The order is random but repeatable: BROKER_STORM=SEED
 * gives another one. */
#include "tests/unit/broker_world.h"

#include <dirent.h>

#define SESSIONS 6
#define STEPS 6000

#define LEGS 8
#define WILD 60 /* one message in so many is sent without a look at the rules */

static struct session {
	struct peer *peer;
	uint64_t connection;
	bool in;
	uint32_t legs[LEGS], leg_count; /* named and not ended */
	uint32_t channels[LEGS];        /* of each: how many were asked for */
	uint32_t next;
} sessions[SESSIONS], *now;
static uint32_t seed = 20260301;

static uint32_t dice(uint32_t sides)
{
	seed ^= seed << 13, seed ^= seed >> 17, seed ^= seed << 5;
	return seed % sides;
}

static char *word(const char *const *words, uint32_t count)
{
	return (char *)(uintptr_t)words[dice(count)];
}

#define WORD(...) word((const char *const[]){ __VA_ARGS__ }, COUNT(((const char *const[]){ __VA_ARGS__ })))

/* ---- one message each ---- */

static void say_auth(struct peer *peer)
{
	BUF_CLEANUP struct buf blob = BUF_INIT(IPC_BLOB_MAX);
	struct cert cert = { .user = WORD("alice", "alice", "bob"), .from = -60, .to = dice(8) ? 600 : -5, .ca = dice(8) ? world.ca
		: world.foreign_ca };
	cert_make(&cert, &blob);
	say(peer, IPC_AUTH, 0, &(struct msg_auth){ dice(2), (char *)(uintptr_t)cert.user, dice(10) ? buf_bytes(&blob) : sshkey_blob(world.alice) },
		-1);
}

/* A leg to say something about: one that is there, or, rarely, any number. */
static uint32_t a_leg(void)
{
	return now->leg_count && dice(WILD) ? now->legs[dice(now->leg_count)] : dice(12);
}

static void say_leg(struct peer *peer)
{
	bool wild = !dice(WILD);
	struct msg_leg msg = { .leg = wild ? dice(12) : now->next++, .mode = 1 + dice(2), .login = (char[]){ "deploy" },
		.pubkey = sshkey_blob(world.alice) };
	if (now->leg_count == LEGS)
		return;
	msg.target = wild ? WORD("b.db", "secret1", "none") : WORD("web1", "old1", "pass1", "a.db", "b.db");
	now->channels[now->leg_count] = 0;
	now->legs[now->leg_count++] = msg.leg;
	say(peer, IPC_LEG, 0, &msg, -1);
}

static void say_access(struct peer *peer)
{
	uint32_t at = now->leg_count ? dice(now->leg_count) : 0;
	struct msg_access msg = { .leg = now->leg_count && dice(WILD) ? now->legs[at] : dice(12), .term = (char[]){ "vt100" },
		.detail = { (const uint8_t *)"uptime", 6 } };
	msg.kind = dice(5) ? dice(4) : dice(ACCESS_KINDS);
	msg.channel = dice(WILD) ? now->channels[at]++ : dice(30);
	if (now->leg_count || !dice(WILD))
		say(peer, IPC_ACCESS, 0, &msg, -1);
}

static void say_request(struct peer *peer)
{
	struct msg_request msg = { .leg = a_leg(), .channel = dice(30), .what = WORD("env", "pty-req"), .detail = { (const uint8_t *)"x\0y", 3 } };
	say(peer, IPC_REQUEST, 0, &msg, -1);
}

static void say_channel_end(struct peer *peer)
{
	static uint32_t channel; /* each once: a channel ends only once */
	end_channel(peer, a_leg(), dice(3) ? dice(4) + 1000 * ++channel : dice(6));
}

static void say_evidence(struct peer *peer)
{
	say(peer, IPC_EVIDENCE, 0, &(struct msg_evidence){ .leg = a_leg(), .transport = WORD("outer", "inner", "inner", "outbound"),
		.kex = (char[]){ "k" } },
		-1);
}

static void say_event(struct peer *peer)
{
	say(peer, IPC_EVENT, 0, &(struct msg_event){ .leg = a_leg(), .type = WORD("forward-refused", "backend-lost", "transcript-failed") }, -1);
}

static void say_leg_end(struct peer *peer)
{
	if (!now->leg_count)
		return;
	uint32_t at = dice(now->leg_count);
	end_leg(peer, now->legs[at], WORD("", "connection reset", "\033"));
	now->legs[at] = now->legs[--now->leg_count];
	now->channels[at] = now->channels[now->leg_count];
}

static void say_command(struct peer *peer)
{
	char *argv[] = { WORD("whoami", "targets", "sessions", "help", "nonsense"), NULL };
	say(peer, IPC_COMMAND, 0, &(struct msg_command){ .channel = dice(30), .argv = argv }, -1);
}

static void say_stop(struct peer *peer)
{
	say(peer, IPC_COMMAND_STOP, 0, &(struct msg_channel){ dice(30) }, -1);
}

static void (*const sayings[])(struct peer *) = {
	say_auth, say_leg, say_leg, say_access, say_access, say_access, say_request, say_channel_end, say_evidence, say_event, say_leg_end,
		say_command, say_stop,
};

/* ---- the world around ---- */

static void session_end(size_t at, int status)
{
	bool told = dice(2);
	if (told)
		client_gone_with(sessions[at].connection, status);
	link_drop(sessions[at].peer);
	if (!told)
		client_gone_with(sessions[at].connection, status);
	sessions[at] = (struct session){ 0 };
}

static void session_begin(size_t at)
{
	sessions[at].peer = connect_client();
	sessions[at].connection = world.connection;
	sessions[at].next = 100;
	sessions[at].in = dice(8);
	if (sessions[at].in)
		done(try_login(sessions[at].peer, &(struct cert){ .user = "alice", .from = -60, .to = 600 }, true));
}

static void role_anew(struct peer **role, const char *name)
{
	struct peer *old = *role;
	*role = introduce(IPC_ROLE, 0, &(struct msg_role){ (char *)(uintptr_t)name });
	if (old)
		link_drop(old);
}

static void reload(void)
{
	static uint64_t generation = 1;
	const char *config = config_text(dice(3) ? RULES : "rules: nonsense\n");
	int bundle = bundle_of(config);
	struct peer *signer = world.signer, *egress = world.egress;
	bool bad = strstr(config, "nonsense");
	say(world.parent, IPC_CONF, 0, &(struct msg_conf){ ++generation }, bundle);
	close(bundle);
	struct peer *fresh[] = { introduce(IPC_ROLE, 0, &(struct msg_role){ (char[]){ "signer" } }), introduce(IPC_ROLE, 0,
		&(struct msg_role){ (char[]){ "egress" } }) };
	if (!bad)
		world.signer = fresh[0], world.egress = fresh[1];
	done(expect(world.parent, bad ? IPC_FAILED : IPC_CONF_TAKEN));
	link_drop(bad ? fresh[0] : signer);
	link_drop(bad ? fresh[1] : egress);
}

static void weather(void)
{
	switch (dice(400)) {
	case 0: role_anew(&world.signer, "signer"); break;
	case 1: role_anew(&world.egress, "egress"); break;
	case 2: reload(); break;
	case 3: case 4: world.mode = dice(3); break;
	case 5: case 6: case 7: case 8:
		if (world.held_count) {
			answer_dial(world.held[--world.held_count].id);
			ipc_msg_free(IPC_DIAL, &world.held[world.held_count].msg);
		}
	}
}

static size_t descriptors(pid_t pid)
{
	char path[64];
	size_t count = 0;
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void forget_heard(void)
{
	while (world.heard) {
		struct heard *next = world.heard->next;
		done(world.heard);
		world.heard = next;
	}
}

static void step(void)
{
	size_t at = dice(SESSIONS);
	if (sessions[at].peer && (sessions[at].peer->gone || !dice(200)))
		session_end(at, dice(2) ? SIGKILL : 0);
	if (!sessions[at].peer)
		session_begin(at);
	now = &sessions[at];
	if (now->in && dice(WILD))
		sayings[1 + dice(COUNT(sayings) - 1)](now->peer);
	else
		sayings[dice(8) ? 0 : dice(COUNT(sayings))](now->peer); /* without a login there is little to say */
	weather();
	turn(0);
	if (!dice(20))
		forget_heard();
}

static void test_storm(void **state)
{
	(void)state;
	if (getenv("BROKER_STORM"))
		seed = (uint32_t)strtoul(getenv("BROKER_STORM"), NULL, 10) | 1;
	world_up(RULES);
	know("alice", "sre");
	size_t before = descriptors(world.broker);
	for (int i = 0; i < STEPS; i++)
		step();
	for (size_t i = 0; i < SESSIONS; i++)
		if (sessions[i].peer)
			session_end(i, 0);
	world.mode = EGRESS_CONNECTS;
	forget_heard();
	struct peer *last = login_as("alice"); /* it still works, for whoever follows the rules */
	char id[27];
	leg_up(last, 1, "web1", id);
	done(access_of(last, 1, 0, ACCESS_EXEC, "id"));
	struct heard *grant = expect(last, IPC_GRANT);
	assert_true(MSG(grant, msg_grant)->ok);
	done(grant);
	size_t after = descriptors(world.broker);
	if (after > before + 4) /* the last session's link, and the signer's socket may have a new number */
		fail_msg("%zu descriptors before, %zu after", before, after);
	world_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_storm) };
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

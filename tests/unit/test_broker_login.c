/* Logins at a provider, seen from outside of the broker: session and egress are played here, the provider's keys and tokens are real. */
#include "tests/unit/login_world.h"

#include "oidc/pkce.h"

#define CORP "{name: corp, issuer: '" ISSUER "', client_id: bartizan, user: name, groups: groups, algorithms: [EdDSA], jwks_refresh: 1s}"
#define OTHER "{name: other, issuer: 'https://other.example.com', client_id: bartizan, user: name, groups: groups, algorithms: [EdDSA]}"
#define CI "{name: ci, issuer: 'https://ci.example.com', client_id: gateway, user: name, groups: groups, algorithms: [EdDSA], machine: true}"
#define ONE "providers: [" CORP "]\n" RULES

static struct sshkey *second_key;

static void up(const char *extra)
{
	world_up(extra);
	provider_new_key();
	assert_int_equal(sshkey_generate_ed25519(&second_key, NULL), 0);
	provider_state("corp", "k1");
}

static void down(void)
{
	world_down();
	sshkey_free(second_key);
}

/* ---- the order of keys ---- */

static void violates(struct peer *session, enum ipc_type type, const void *msg)
{
	unsigned before = events_of("session-violation").count;
	say(session, type, 0, msg, -1);
	expect_closed(session);
	assert_int_equal(events_of("session-violation").count, before + 1);
}

static void answered(struct heard *answer, bool ok, bool partial, const char *words)
{
	const struct msg_auth_answer *got = MSG(answer, msg_auth_answer);

	if (got->ok != ok || got->partial != partial || (*words ? !strstr(got->reason, words) : *got->reason))
		fail_msg("ok %d partial %d '%s'", got->ok, got->partial, got->reason);
	done(answer);
}

/* As OpenSSH does it: it asks, proves, and goes round. */
static struct peer *asked_and_proved(void)
{
	struct peer *session = connect_client();
	answered(offer(session, "alice", world.alice, false), true, false, "");
	answered(offer(session, "alice", world.alice, true), false, true, "");
	return session;
}

static void certificate_follows(const char *conf)
{
	up(conf);
	struct peer *session = asked_and_proved();
	answered(offer(session, "alice", second_key, false), false, false, ""); /* an agent holds more */
	answered(try_login(session, &(struct cert){ .user = "alice", .from = -60, .to = 600 }, false), true, false, "");
	say(session, IPC_LEG, 0, &(struct msg_leg){ .leg = 1, .mode = MODE_JUMP, .target = (char[]){ "web1" }, .login = (char[]){ "deploy" } }, -1);
	expect_closed(session); /* a plain key alone opens nothing */
	session = asked_and_proved();
	answered(try_login(session, &(struct cert){ .user = "alice", .from = -60, .to = 600 }, true), true, false, "");
	done(expect(world.parent, IPC_AUTHENTICATED));
	assert_int_equal(events_of("login").count, 1);
	assert_int_equal(events_of("login-refused").count, 0);
	down();
}

static void test_certificate_follows_its_plain_key(void **state)
{
	(void)state;
	certificate_follows(ONE);
	certificate_follows(RULES);
	certificate_follows("providers: [" CI "]\n" RULES);
}

static void test_nothing_follows_the_plain_key(void **state)
{
	(void)state;
	up(ONE);
	struct peer *session = asked_and_proved();
	answered(offer(session, "alice", second_key, false), false, false, "");
	answered(offer(session, "alice", world.alice, false), false, false, "ssh gw login first"); /* it has been round */
	answered(offer(session, "alice", world.alice, false), false, false, ""); /* said once */
	begin_login(session);
	login_done(login_started("corp", -1), &(struct token){ .user = "alice" });
	expect_in(session, "alice");
	assert_int_equal(events_of("login-refused").count, 0);
	down();
	up(RULES); /* there is nowhere to log in */
	session = asked_and_proved();
	answered(offer(session, "alice", world.alice, false), false, false, "a certificate is needed");
	uint64_t connection = world.connection;
	peer_close(session);
	client_gone_with(connection, 0);
	session = asked_and_proved();
	assert_non_null(strstr(events_of("login-refused").last, "a certificate is needed, and none came"));
	begin_login(session);
	expect_out(session, "a certificate is needed");
	session = connect_client();
	begin_login(session);
	expect_out(session, "a certificate is needed");
	down();
}

static void test_a_refused_certificate_says_why(void **state)
{
	(void)state;
	up(ONE);
	struct peer *session = asked_and_proved();
	answered(try_login(session, &(struct cert){ .user = "alice", .from = -60, .to = -30 }, false), false, false, "expired");
	answered(offer(session, "alice", world.alice, false), false, false, ""); /* the reason is said */
	down();
}

/* ---- a login before any key ---- */

static struct peer *vouched(const char *user)
{
	struct peer *session = connect_client();
	begin_login(session);
	login_done(login_started("corp", -1), &(struct token){ .user = user, .group = "sre" });
	struct heard *answer = expect(session, IPC_AUTH_ANSWER);
	assert_false(MSG(answer, msg_auth_answer)->proved);
	answered(answer, false, true, "now a key has to be proved");
	assert_null(take(world.parent, IPC_AUTHENTICATED));
	return session;
}

static void test_login_before_the_key(void **state)
{
	(void)state;
	up(ONE);
	struct peer *session = vouched("alice");
	answered(offer(session, "alice", world.alice, false), true, false, "");
	assert_int_equal(events_of("certificate-issued").count, 0);
	say(session, IPC_AUTH, 0, &(struct msg_auth){ true, (char[]){ "alice" }, sshkey_blob(world.alice) }, -1);
	expect_in(session, "alice");
	assert_int_equal(events_of("certificate-issued").count, 1);
	session = connect_client();
	answered(offer(session, "alice", world.alice, false), true, false, ""); /* it is silent from now on */
	answered(offer(session, "alice", world.alice, true), true, false, "");
	done(expect(world.parent, IPC_AUTHENTICATED));
	down();
}

static void test_a_login_alone_is_nobody(void **state)
{
	(void)state;
	struct msg_login login = { (char *)"alice", (char *)"" };
	struct msg_leg leg = { .leg = 1, .mode = MODE_JUMP, .target = (char[]){ "web1" }, .login = (char[]){ "deploy" } };
	struct msg_command command = { .channel = 1, .argv = (char *[]){ (char *)"whoami", NULL } };
	up(ONE);
	violates(vouched("alice"), IPC_LEG, &leg);
	violates(vouched("alice"), IPC_COMMAND, &command);
	violates(vouched("alice"), IPC_LOGIN, &login);
	struct peer *session = vouched("bob"); /* a certificate says by itself who it is */
	answered(try_login(session, &(struct cert){ .user = "alice", .from = -60, .to = 600 }, true), true, false, "");
	done(expect(world.parent, IPC_AUTHENTICATED));
	assert_int_equal(events_of("certificate-issued").count, 0);
	down();
}

/* ---- the device flow ---- */

static void test_login(void **state)
{
	(void)state;
	up(ONE);
	struct peer *session = connect_client();
	struct heard *answer = offer(session, "alice", world.alice, false);
	assert_true(MSG(answer, msg_auth_answer)->ok && !MSG(answer, msg_auth_answer)->proved && !MSG(answer, msg_auth_answer)->partial);
	done(answer);
	session = person_in(world.alice, "alice", "sre");
	assert_int_equal(events_of("login-provider").count, 1);
	assert_int_equal(events_of("certificate-issued").count, 1);
	assert_non_null(strstr(events_of("certificate-issued").last, "\"provider\":\"corp\""));
	assert_non_null(strstr(events_of("login").last, "\"provider\":\"corp\""));
	answer = name_leg(session, 1, "web1", "deploy"); /* the groups of the token count */
	assert_true(MSG(answer, msg_leg_answer)->ok);
	done(answer);
	session = connect_client(); /* from now on the key is silent, for offer and proof alike */
	answer = offer(session, "alice", world.alice, false);
	assert_true(MSG(answer, msg_auth_answer)->ok);
	done(answer);
	answer = offer(session, "alice", world.alice, true);
	assert_true(MSG(answer, msg_auth_answer)->ok);
	assert_string_equal(MSG(answer, msg_auth_answer)->user, "alice");
	done(answer);
	done(expect(world.parent, IPC_AUTHENTICATED));
	half_in(second_key); /* another key is not */
	assert_null(take(world.egress, IPC_LOGIN_START));
	down();
}

static void test_it_prints_its_certificate(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf line = BUF_INIT(8192), blob = BUF_INIT(8192);
	SSHCERT_CLEANUP struct sshcert *cert = NULL;
	struct err err = { "" };
	up(ONE);
	struct peer *session = person_in(world.alice, "alice", "sre");
	assert_int_equal(command_in(session, 1, NULL, &line, (char *[]){ (char *)"login", NULL }), 0);
	char *base64 = strchr((char *)buf_cstr(&line), ' ') + 1;
	base64[strcspn(base64, " ")] = 0;
	assert_int_equal(text_base64_decode(&blob, base64, strlen(base64)), 0);
	if (sshcert_parse(buf_bytes(&blob), &cert, &err))
		fail_msg("%s", err.text);
	assert_true(sshkey_same(cert->key, world.alice) && sshkey_same(cert->ca, world.ca));
	assert_int_equal(cert->principal_count, 1);
	assert_string_equal(cert->principals[0], "alice");
	char key_id[64];
	snprintf(key_id, sizeof(key_id), "alice serial %llu", (unsigned long long)cert->serial);
	assert_string_equal(cert->key_id, key_id);
	int64_t now = clock_wall();
	assert_true((int64_t)cert->valid_after <= now - 295 && (int64_t)cert->valid_after >= now - 330);
	assert_true((int64_t)cert->valid_before <= now + 36000 && (int64_t)cert->valid_before >= now + 35970);
	session = connect_client(); /* with the file it is the same login */
	say(session, IPC_AUTH, 0, &(struct msg_auth){ true, (char[]){ "alice" }, buf_bytes(&blob) }, -1);
	expect_in(session, "alice");
	buf_clear(&line);
	assert_int_equal(command_in(session, 1, NULL, &line, (char *[]){ (char *)"logout", NULL }), 0);
	session = connect_client(); /* and both end together */
	say(session, IPC_AUTH, 0, &(struct msg_auth){ true, (char[]){ "alice" }, buf_bytes(&blob) }, -1);
	expect_out(session, "has logged out since");
	half_in(world.alice);
	down();
}

static void fails(const struct token *token, const char *words)
{
	struct peer *session = half_in(world.alice);
	begin_login(session);
	uint32_t id = login_started("corp", -1);
	login_code(id, "ABCD-EFGH");
	expect_prompt(session, "ABCD-EFGH");
	login_done(id, token);
	expect_out(session, words);
}

static void test_bad_tokens(void **state)
{
	(void)state;
	up(ONE);
	fails(&(struct token){ .user = "alice", .issuer = "https://evil.example.com" }, "issuer is");
	fails(&(struct token){ .user = "alice", .audience = "other" }, "audience is");
	fails(&(struct token){ .user = "alice", .age = 3600 }, "expired");
	fails(&(struct token){ .user = "a b" }, "cannot be a user name");
	EVP_PKEY *good = provider_key;
	provider_key = NULL;
	provider_new_key(); /* somebody else's key under the same kid */
	fails(&(struct token){ .user = "alice" }, "signature");
	EVP_PKEY_free(provider_key);
	provider_key = good;
	assert_int_equal(events_of("certificate-issued").count, 0);
	assert_int_equal(events_of("login").count, 0);
	down();
}

static void flow_fails(const char *kind, const char *reason, const char *words)
{
	struct peer *session = half_in(world.alice);
	begin_login(session);
	login_failed(login_started("corp", -1), kind, reason);
	expect_out(session, words);
	say(session, IPC_LEG, 0, &(struct msg_leg){ .leg = 1, .mode = MODE_JUMP, .target = (char[]){ "web1" }, .login = (char[]){ "deploy" } }, -1);
	expect_closed(session); /* half a login opens nothing */
}

static void test_failures(void **state)
{
	(void)state;
	up(ONE);
	flow_fails("denied", "access_denied", "the login was refused at the provider");
	flow_fails("expired", "", "the code expired before it was used");
	flow_fails("unreachable", "connection refused", "the provider cannot be reached: connection refused");
	flow_fails("refused", "bad \033[2J client", "the login failed: bad ");
	flow_fails("something new", "why", "the login failed: why");
	down();
}

static void test_keys_change(void **state)
{
	(void)state;
	up(ONE);
	provider_new_key();
	struct peer *session = half_in(world.alice);
	begin_login(session);
	login_done(login_started("corp", -1), &(struct token){ .user = "alice", .kid = "k2" });
	struct heard *refresh = expect(world.egress, IPC_PROVIDER_REFRESH);
	assert_string_equal(MSG(refresh, msg_provider)->provider, "corp");
	done(refresh);
	provider_state("corp", "k2");
	expect_in(session, "alice");
	/* once only */
	session = half_in(second_key);
	begin_login(session);
	login_done(login_started("corp", -1), &(struct token){ .user = "alice", .kid = "k3" });
	done(expect(world.egress, IPC_PROVIDER_REFRESH));
	provider_state("corp", "k2");
	expect_out(session, "k3");
	assert_null(take(world.egress, IPC_PROVIDER_REFRESH));
	/* out of reach: the keys that are known still serve */
	provider_state("corp", NULL);
	session = half_in(second_key);
	begin_login(session);
	login_done(login_started("corp", -1), &(struct token){ .user = "alice", .kid = "k2" });
	expect_in(session, "alice");
	down();
}

static void test_two_flows_do_not_cross(void **state)
{
	(void)state;
	up(ONE);
	struct peer *first = half_in(world.alice), *second = half_in(second_key);
	begin_login(first);
	uint32_t one = login_started("corp", -1);
	begin_login(second);
	uint32_t two = login_started("corp", -1);
	assert_int_not_equal(one, two);
	login_code(two, "TWOO-TWOO");
	expect_prompt(second, "TWOO-TWOO");
	assert_null(take(first, IPC_LOGIN_PROMPT));
	login_code(one, "ONEE-ONEE");
	expect_prompt(first, "ONEE-ONEE");
	login_done(one + two + 1, &(struct token){ .user = "mallory" }); /* nobody's */
	login_done(two, &(struct token){ .user = "bob" });
	expect_in(second, "bob");
	assert_null(take(first, IPC_AUTH_ANSWER));
	login_done(two, &(struct token){ .user = "mallory" }); /* answered already */
	login_done(one, &(struct token){ .user = "alice" });
	expect_in(first, "alice");
	assert_int_equal(events_of("login").count, 2);
	struct peer *again = connect_client(); /* each key is whose it was proved for */
	struct heard *answer = offer(again, "x", second_key, true);
	assert_string_equal(MSG(answer, msg_auth_answer)->user, "bob");
	done(answer);
	down();
}

static void test_cancelled_with_its_client(void **state)
{
	(void)state;
	up(ONE);
	struct peer *session = half_in(world.alice);
	uint64_t connection = world.connection;
	begin_login(session);
	uint32_t id = login_started("corp", -1);
	login_code(id, "ABCD-EFGH");
	expect_prompt(session, "ABCD-EFGH");
	peer_close(session);
	client_gone_with(connection, 0);
	struct heard *cancel = expect(world.egress, IPC_LOGIN_CANCEL);
	assert_int_equal(cancel->id, id);
	done(cancel);
	login_done(id, &(struct token){ .user = "alice" }); /* too late */
	half_in(world.alice);
	assert_int_equal(events_of("login-provider").count, 0);
	down();
}

static void test_egress_is_lost(void **state)
{
	(void)state;
	up(ONE);
	struct peer *session = half_in(world.alice);
	begin_login(session);
	login_started("corp", -1);
	peer_close(world.egress);
	expect_out(session, "egress process is not running");
	session = half_in(world.alice);
	begin_login(session);
	expect_out(session, "egress process is not running");
	world.egress = introduce(IPC_ROLE, 0, &(struct msg_role){ (char[]){ "egress" } });
	provider_state("corp", "k1"); /* a new one knows nothing until it says so */
	person_in(world.alice, "alice", "sre");
	down();
}

static void test_bounds(void **state)
{
	(void)state;
	up(ONE);
	for (int i = 0; i < 4; i++) { /* FLOWS_PER_SOURCE */
		struct peer *session = half_in(world.alice);
		begin_login(session);
		login_started("corp", -1);
	}
	struct peer *session = half_in(world.alice);
	begin_login(session);
	expect_out(session, "4 logins from your address wait already");
	assert_null(take(world.egress, IPC_LOGIN_START));
	down();
}

static void test_violations(void **state)
{
	(void)state;
	struct msg_login login = { (char *)"alice", (char *)"" };
	struct msg_login_input text = { { (const uint8_t *)"1", 1 } };
	up(ONE);
	struct peer *session = connect_client();
	begin_login(session); /* no key is proved yet: it has to be, afterwards */
	login_started("corp", -1);
	violates(session, IPC_LOGIN_INPUT, &text); /* answers nothing */
	session = half_in(world.alice);
	begin_login(session);
	login_started("corp", -1);
	violates(session, IPC_LOGIN, &login); /* twice */
	session = half_in(world.alice);
	begin_login(session);
	login_started("corp", -1);
	violates(session, IPC_LOGIN_INPUT, &text); /* answers nothing */
	session = half_in(world.alice);
	violates(session, IPC_COMMAND, &(struct msg_command){ .channel = 1, .argv = (char *[]){ (char *)"whoami", NULL } });
	session = half_in(world.alice); /* another key on the same connection does not get the first one's login */
	struct heard *answer = offer(session, "alice", second_key, true);
	assert_false(MSG(answer, msg_auth_answer)->ok || MSG(answer, msg_auth_answer)->partial);
	done(answer);
	down();
}

static void test_choice(void **state)
{
	(void)state;
	up("providers: [" CORP ", " OTHER ", " CI "]\n" RULES);
	struct peer *session = half_in(world.alice);
	begin_login(session);
	struct heard *prompt = expect(session, IPC_LOGIN_PROMPT);
	assert_non_null(strstr(MSG(prompt, msg_login_prompt)->text, "1  corp\n  2  other"));
	assert_null(strstr(MSG(prompt, msg_login_prompt)->text, "ci"));
	assert_string_equal(MSG(prompt, msg_login_prompt)->prompt, "Provider [1]: ");
	done(prompt);
	input(session, "3");
	expect_prompt(session, "no such provider");
	input(session, "2");
	login_started("other", -1);
	session = half_in(world.alice);
	begin_login(session);
	expect_prompt(session, "corp");
	input(session, "");
	login_started("corp", -1);
	session = half_in(world.alice);
	begin_login(session);
	for (int i = 0; i < 3; i++) {
		expect_prompt(session, "corp");
		input(session, "x");
	}
	expect_out(session, "no provider was chosen");
	session = half_in(world.alice); /* a workload's token in place of a choice */
	provider_state("ci", "k1");
	begin_login(session);
	expect_prompt(session, "corp");
	BUF_CLEANUP struct buf token = BUF_INIT(IPC_TOKEN_MAX);
	token_make(&(struct token){ .user = "build", .issuer = "https://ci.example.com", .audience = "gateway" }, &token);
	input(session, buf_cstr(&token));
	expect_in(session, "build");
	down();
}

/* ---- tokens ---- */

#define MACHINES "providers: [" CI "]\n" \
	"roles: {sre: {groups: [sre]}, glass: {groups: [glass]}, deployer: {claims: {repository: org/app}}}\n" \
	"rules:\n  - {name: staging, allow: \"*\", roles: [deployer], targets: {labels: {env: staging}}}\n"

static struct peer *limited(const char *user)
{
	struct peer *session = connect_client();
	struct heard *answer = offer(session, user, world.alice, true);
	assert_true(MSG(answer, msg_auth_answer)->ok && MSG(answer, msg_auth_answer)->proved);
	done(answer);
	return session;
}

static char *const exchange[] = { (char *)"login", (char *)"--token", NULL };

static void test_limited(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf out = BUF_INIT(100000);
	up("providers: [" CORP ", " CI "]\n" RULES);
	struct peer *session = limited("token");
	assert_null(take(world.parent, IPC_AUTHENTICATED));
	assert_int_equal(command_in(session, 1, NULL, &out, (char *[]){ (char *)"whoami", NULL }), 77);
	assert_non_null(strstr(buf_cstr(&out), "log in first"));
	assert_int_equal(command_in(session, 1, NULL, &out, (char *[]){ (char *)"login", NULL }), 77);
	assert_int_equal(command_in(session, 1, NULL, &out, (char *[]){ (char *)"help", NULL }), 0);
	/* a jump: the inner transport is up before its leg is named */
	say(session, IPC_EVIDENCE, 0, &(struct msg_evidence){ .leg = 1, .transport = (char *)"inner" }, -1);
	struct heard *answer = name_leg(session, 1, "web1", "deploy");
	assert_false(MSG(answer, msg_leg_answer)->ok);
	assert_non_null(strstr(MSG(answer, msg_leg_answer)->reason, "log in first"));
	done(answer);
	assert_int_equal(events_of("session-violation").count, 0);
	assert_int_equal(events_of("login").count, 0);
	half_in(world.alice); /* any other name is a person */
	down();
}

static void test_exchange(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf out = BUF_INIT(100000), token = BUF_INIT(IPC_TOKEN_MAX);
	up(MACHINES);
	provider_state("ci", "k1");
	struct peer *session = limited("anyone"); /* there are no people here */
	assert_int_equal(command_in(session, 1, "", &out, exchange), 77);
	assert_non_null(strstr(buf_cstr(&out), "standard input is empty"));
	buf_clear(&out);
	assert_int_equal(command_in(session, 1, "a.b.c", &out, exchange), 77);
	token_make(&(struct token){ .user = "build", .issuer = "https://ci.example.com", .audience = "other" }, &token);
	buf_clear(&out);
	assert_int_equal(command_in(session, 1, buf_cstr(&token), &out, exchange), 77);
	assert_non_null(strstr(buf_cstr(&out), "audience"));
	buf_clear(&token), buf_clear(&out);
	token_make(&(struct token){ .user = "build", .issuer = "https://ci.example.com", .audience = "gateway", .more = ",\"repository\":\"org/app\"" }, &token);
	buf_puts(&token, "\n");
	assert_int_equal(command_in(session, 1, buf_cstr(&token), &out, exchange), 0);
	assert_non_null(strstr(buf_cstr(&out), "ssh-ed25519-cert-v01@openssh.com AAAA"));
	assert_non_null(strstr(events_of("login-provider").last, "\"machine\":true"));
	assert_int_equal(command_in(session, 2, buf_cstr(&token), &out, exchange), 0); /* a workload uses its token as often as it likes */
	session = connect_client(); /* the key is silent now, and the claim gives the role */
	struct heard *answer = offer(session, "build", world.alice, true);
	assert_true(MSG(answer, msg_auth_answer)->ok);
	assert_string_equal(MSG(answer, msg_auth_answer)->user, "build");
	done(answer);
	answer = name_leg(session, 1, "web1", "deploy");
	assert_true(MSG(answer, msg_leg_answer)->ok);
	done(answer);
	char *big = calloc(1, IPC_TOKEN_MAX + 2);
	memset(big, 'x', IPC_TOKEN_MAX + 1);
	buf_clear(&out);
	assert_int_equal(command_in(session, 1, big, &out, exchange), 77);
	assert_non_null(strstr(buf_cstr(&out), "longer than 16384"));
	free(big);
	down();
}

/* What `bartizan login` hands over: for its own key, and once. */
static void test_person_exchange(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf out = BUF_INIT(100000), first = BUF_INIT(IPC_TOKEN_MAX), second = BUF_INIT(IPC_TOKEN_MAX), third = BUF_INIT(IPC_TOKEN_MAX);
	char nonce[PKCE_TEXT], more[100];
	up("providers: [" CORP "]\n" RULES);
	assert_int_equal(pkce_nonce(sshkey_blob(second_key), nonce), 0);
	snprintf(more, sizeof(more), ",\"nonce\":\"%s\"", nonce);
	token_make(&(struct token){ .user = "alice", .more = more }, &first); /* for another key */
	struct peer *session = limited("token");
	assert_int_equal(command_in(session, 1, buf_cstr(&first), &out, exchange), 77);
	assert_non_null(strstr(buf_cstr(&out), "token is for another key"));
	assert_int_equal(pkce_nonce(sshkey_blob(world.alice), nonce), 0);
	snprintf(more, sizeof(more), ",\"nonce\":\"%s\"", nonce);
	token_make(&(struct token){ .user = "alice", .more = more }, &second);
	buf_clear(&out);
	assert_int_equal(command_in(session, 1, buf_cstr(&second), &out, exchange), 0);
	assert_non_null(strstr(buf_cstr(&out), "ssh-ed25519-cert-v01@openssh.com AAAA"));
	token_make(&(struct token){ .user = "alice" }, &third); /* a device flow has no nonce */
	buf_clear(&out);
	assert_int_equal(command_in(session, 2, buf_cstr(&third), &out, exchange), 0);
	assert_int_equal(events_of("certificate-issued").count, 2);
	const struct buf *used[] = { &second, &third };
	for (size_t i = 0; i < 2; i++) {
		buf_clear(&out);
		assert_int_equal(command_in(session, 3 + (uint32_t)i, buf_cstr((struct buf *)(uintptr_t)used[i]), &out, exchange), 77);
		assert_non_null(strstr(buf_cstr(&out), "has been used already"));
	}
	assert_int_equal(events_of("certificate-issued").count, 2);
	assert_non_null(strstr(events_of("login-refused").last, "has been used already"));
	down();
}

/* ---- freshness ---- */

#define FRESH "providers: [" CORP "]\nrules:\n" \
	"  - {name: staging, allow: \"*\", roles: [sre], targets: {labels: {env: staging}}, login_within: 15m}\n"

static struct peer *stale(void)
{
	struct peer *session = half_in(world.alice);
	begin_login(session);
	login_done(login_started("corp", -1), &(struct token){ .user = "alice", .auth_age = 3600 });
	expect_in(session, "alice");
	leg_up(session, 1, "web1", (char[27]){ 0 });
	return session;
}

static uint32_t held(struct peer *session, uint32_t channel)
{
	ask_access(session, 1, channel, ACCESS_EXEC, "id");
	struct heard *hold = expect(session, IPC_WAIT);
	assert_int_equal(MSG(hold, msg_wait)->channel, channel);
	assert_non_null(strstr(MSG(hold, msg_wait)->text, "1 hour old"));
	done(hold);
	uint32_t id = login_started("corp", 900);
	login_code(id, "FRSH-FRSH");
	hold = expect(session, IPC_WAIT);
	assert_non_null(strstr(MSG(hold, msg_wait)->text, "enter the code FRSH-FRSH"));
	assert_non_null(strstr(MSG(hold, msg_wait)->status, "waiting for the login (10 minutes left)"));
	done(hold);
	return id;
}

static void expect_decision(struct peer *session, uint32_t channel, enum verdict verdict, const char *words)
{
	struct heard *decision = expect(session, IPC_DECISION);
	assert_int_equal(MSG(decision, msg_decision)->channel, channel);
	if (MSG(decision, msg_decision)->verdict != verdict || !strstr(MSG(decision, msg_decision)->reason, words))
		fail_msg("%u %s", MSG(decision, msg_decision)->verdict, MSG(decision, msg_decision)->reason);
	if (verdict == VERDICT_DENY)
		assert_int_equal(MSG(decision, msg_decision)->exit, 77);
	done(decision);
}

static void test_fresh(void **state)
{
	(void)state;
	up(FRESH);
	struct peer *session = stale();
	uint32_t id = held(session, 0);
	ask_access(session, 1, 1, ACCESS_EXEC, "id"); /* a second channel shares the login */
	struct heard *hold = expect(session, IPC_WAIT);
	assert_int_equal(MSG(hold, msg_wait)->channel, 1);
	done(hold);
	assert_null(take(world.egress, IPC_LOGIN_START));
	login_done(id, &(struct token){ .user = "alice", .auth_age = 1 });
	struct heard *one = expect(session, IPC_DECISION), *two = expect(session, IPC_DECISION);
	assert_int_equal(MSG(one, msg_decision)->verdict, VERDICT_ALLOW);
	assert_int_equal(MSG(two, msg_decision)->verdict, VERDICT_ALLOW);
	done(one), done(two);
	assert_int_equal(events_of("access-held").count, 2);
	ask_access(session, 1, 2, ACCESS_EXEC, "id");
	expect_decision(session, 2, VERDICT_ALLOW, "");
	session = connect_client(); /* other connections have it, too */
	done(offer(session, "alice", world.alice, true));
	leg_up(session, 1, "web1", (char[27]){ 0 });
	ask_access(session, 1, 0, ACCESS_EXEC, "id");
	expect_decision(session, 0, VERDICT_ALLOW, "");
	down();
}

static void test_not_fresh(void **state)
{
	(void)state;
	up(FRESH);
	struct peer *session = stale();
	login_done(held(session, 0), &(struct token){ .user = "bob" });
	expect_decision(session, 0, VERDICT_DENY, "somebody else logged in");
	login_done(held(session, 1), &(struct token){ .user = "alice", .auth_age = 3600 }); /* max_age was not obeyed */
	expect_decision(session, 1, VERDICT_DENY, "1 hour ago; 15 minutes is the most");
	login_failed(held(session, 2), "denied", "");
	expect_decision(session, 2, VERDICT_DENY, "refused at the provider");
	uint32_t id = held(session, 3);
	say(session, IPC_ACCESS_CANCEL, 0, &(struct msg_access_cancel){ 1, 3 }, -1);
	struct heard *cancel = expect(world.egress, IPC_LOGIN_CANCEL);
	assert_int_equal(cancel->id, id);
	done(cancel);
	id = held(session, 4);
	end_leg(session, 1, "");
	cancel = expect(world.egress, IPC_LOGIN_CANCEL);
	assert_int_equal(cancel->id, id);
	done(cancel);
	down();
}

/* ---- revocation ---- */

#define REVOKERS "providers: [" CORP "]\nroles: {sre: {groups: [sre]}, glass: {groups: [glass]}, boss: {groups: [boss], may: [revoke]}}\n" RULES

static unsigned say_command(struct peer *session, struct buf *out, const char *const *argv)
{
	buf_clear(out);
	return command_in(session, 9, NULL, out, (char *const *)(uintptr_t)argv);
}
#define COMMAND(session, ...) say_command(session, &out, (const char *[]){ __VA_ARGS__, NULL })

static void expect_end(struct peer *session, const char *words)
{
	struct heard *end = expect(session, IPC_END);
	assert_int_equal(MSG(end, msg_end)->leg, IPC_LEG_ALL);
	assert_int_equal(MSG(end, msg_end)->exit, 77);
	if (!strstr(MSG(end, msg_end)->reason, words))
		fail_msg("%s", MSG(end, msg_end)->reason);
	done(end);
}

static void test_revoke_user(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf out = BUF_INIT(100000);
	up(REVOKERS);
	struct peer *boss = person_in(second_key, "root", "boss"), *alice = person_in(world.alice, "alice", "sre");
	assert_int_equal(COMMAND(alice, "revoke", "--user", "root"), 77); /* not without the right */
	assert_int_equal(COMMAND(alice, "revoked"), 77);
	assert_int_equal(COMMAND(boss, "revoke", "--user", "alice", "--reason", "laptop \033 lost"), 0);
	assert_non_null(strstr(buf_cstr(&out), "connections ended  1\nlogins forgotten   1\n"));
	expect_end(alice, "user is revoked: laptop \\x1b lost");
	struct heard *answer = name_leg(alice, 1, "web1", "deploy"); /* until it goes, it opens nothing */
	assert_false(MSG(answer, msg_leg_answer)->ok);
	done(answer);
	struct peer *again = connect_client();
	answer = offer(again, "alice", world.alice, false); /* at once, not after another login */
	assert_false(MSG(answer, msg_auth_answer)->ok);
	assert_non_null(strstr(MSG(answer, msg_auth_answer)->reason, "user is revoked"));
	done(answer);
	SSHKEY_CLEANUP struct sshkey *third = NULL;
	assert_int_equal(sshkey_generate_ed25519(&third, NULL), 0);
	again = half_in(third); /* a new key: known after the login only */
	begin_login(again);
	login_done(login_started("corp", -1), &(struct token){ .user = "alice" });
	expect_out(again, "user is revoked");
	assert_int_equal(COMMAND(boss, "revoked"), 0);
	assert_non_null(strstr(buf_cstr(&out), "alice"));
	assert_int_equal(COMMAND(boss, "unrevoke", "1"), 0);
	assert_int_equal(COMMAND(boss, "unrevoke", "1"), 1);
	half_in(world.alice); /* its login stays forgotten */
	assert_int_equal(events_of("revoked").count, 1);
	assert_int_equal(events_of("connection-revoked").count, 1);
	assert_int_equal(events_of("unrevoked").count, 2);
	down();
}

static void test_revoke_the_rest(void **state)
{
	(void)state;
	BUF_CLEANUP struct buf out = BUF_INIT(100000);
	char fp[SSHKEY_FP_MAX], ca[SSHKEY_FP_MAX];
	up(REVOKERS);
	struct peer *boss = person_in(second_key, "root", "boss");
	sshkey_fingerprint(world.alice, fp);
	sshkey_fingerprint(world.foreign_ca, ca);
	struct cert foreign = { .user = "alice", .from = -60, .to = 600, .ca = world.foreign_ca, .serial = 5 }, ours = { .user = "alice", .from = -60, .to = 600, .serial = 5000 };
	assert_int_equal(COMMAND(boss, "revoke", "--serial", "5"), 0); /* ours, not the foreign one */
	struct peer *session = connect_client();
	done(try_login(session, &foreign, true));
	done(expect(world.parent, IPC_AUTHENTICATED));
	assert_int_equal(COMMAND(boss, "revoke", "--serial", "5", "--ca", ca, "--for", "1h"), 0);
	expect_end(session, "certificate is revoked until ");
	foreign.serial = 6;
	session = connect_client();
	done(try_login(session, &foreign, true));
	done(expect(world.parent, IPC_AUTHENTICATED));
	assert_int_equal(COMMAND(boss, "revoke", "--key-id", "by hand", "--ca", ca), 0);
	expect_end(session, "certificate is revoked");
	session = connect_client();
	done(try_login(session, &ours, true));
	done(expect(world.parent, IPC_AUTHENTICATED));
	assert_int_equal(COMMAND(boss, "revoke", "--key", fp), 0);
	expect_end(session, "key is revoked");
	session = connect_client();
	struct heard *answer = offer(session, "alice", world.alice, false); /* the plain key, too */
	assert_non_null(strstr(MSG(answer, msg_auth_answer)->reason, "key is revoked"));
	done(answer);
	static const char *const wrong[][6] = {
		{ "revoke", NULL }, { "revoke", "--user", "a", "--serial", "1", NULL }, { "revoke", "--serial", "-1", NULL }, { "revoke", "--serial", "1x", NULL },
		{ "revoke", "--serial", "18446744073709551616", NULL }, { "revoke", "--key", "SHA256:short", NULL }, { "revoke", "--user", "a b", NULL },
		{ "revoke", "--user", "a", "--ca", "x", NULL }, { "revoke", "--user", "a", "--until", "2020-01-01T00:00:00Z", NULL }, { "unrevoke", "x", NULL },
	};
	for (size_t i = 0; i < COUNT(wrong); i++)
		if (say_command(boss, &out, wrong[i]) != 2)
			fail_msg("case %zu: %s", i, buf_cstr(&out));
	assert_int_equal(COMMAND(boss, "revoke", "--session", "01JD0000000000000000000001"), 1);
	down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_certificate_follows_its_plain_key), cmocka_unit_test(test_nothing_follows_the_plain_key),
		cmocka_unit_test(test_a_refused_certificate_says_why), cmocka_unit_test(test_login_before_the_key),
		cmocka_unit_test(test_a_login_alone_is_nobody),
		cmocka_unit_test(test_login), cmocka_unit_test(test_it_prints_its_certificate), cmocka_unit_test(test_bad_tokens), cmocka_unit_test(test_failures),
		cmocka_unit_test(test_keys_change), cmocka_unit_test(test_two_flows_do_not_cross), cmocka_unit_test(test_cancelled_with_its_client),
		cmocka_unit_test(test_egress_is_lost), cmocka_unit_test(test_bounds), cmocka_unit_test(test_violations), cmocka_unit_test(test_choice),
		cmocka_unit_test(test_limited), cmocka_unit_test(test_exchange), cmocka_unit_test(test_person_exchange), cmocka_unit_test(test_fresh), cmocka_unit_test(test_not_fresh),
		cmocka_unit_test(test_revoke_user), cmocka_unit_test(test_revoke_the_rest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

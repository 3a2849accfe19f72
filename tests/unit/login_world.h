/* A provider for the broker's tests: keys, ID tokens signed with them, and egress' part of a login. */
#ifndef BARTIZAN_TEST_LOGIN_WORLD_H
#define BARTIZAN_TEST_LOGIN_WORLD_H

#include "tests/unit/broker_world.h"

#include <openssl/evp.h>

#include "oidc/base64url.h"

#define ISSUER "https://login.example.com"

static EVP_PKEY *provider_key;

static inline void provider_new_key(void)
{
	EVP_PKEY_free(provider_key);
	provider_key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	assert_non_null(provider_key);
}

static inline void base64url(const void *data, size_t len, struct buf *out)
{
	assert_int_equal(base64url_encode(out, data, len), 0);
}

/* IPC_PROVIDER_STATE with one key; kid NULL: none, and the provider is out of reach. */
static inline void provider_state(const char *name, const char *kid)
{
	BUF_CLEANUP struct buf jwks = BUF_INIT(2000), x = BUF_INIT(100);
	uint8_t raw[32];
	size_t len = sizeof(raw);
	assert_int_equal(EVP_PKEY_get_raw_public_key(provider_key, raw, &len), 1);
	base64url(raw, len, &x);
	if (kid)
		buf_printf(&jwks, "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"%s\",\"x\":\"%s\"}]}", kid, buf_cstr(&x));
	struct msg_provider_state msg = { .provider = (char *)name, .ok = kid, .reason = (char *)(kid ? "" : "connection refused"), .jwks = buf_bytes(&jwks),
		.fetched = clock_wall() };
	say(world.egress, IPC_PROVIDER_STATE, 0, &msg, -1);
}

struct token { const char *kid, *issuer, *audience, *sub, *user, *group, *more; int64_t age, auth_age; };

static inline void token_make(const struct token *token, struct buf *out)
{
	static unsigned made;
	BUF_CLEANUP struct buf header = BUF_INIT(500), payload = BUF_INIT(4000);
	uint8_t signature[64];
	size_t len = sizeof(signature);
	int64_t now = clock_wall() - token->age;
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	buf_printf(&header, "{\"alg\":\"EdDSA\",\"kid\":\"%s\"}", token->kid ? token->kid : "k1");
	buf_printf(&payload, "{\"iss\":\"%s\",\"aud\":\"%s\",\"sub\":\"%s\",\"iat\":%lld,\"exp\":%lld,\"auth_time\":%lld,\"name\":\"%s\",\"groups\":[\"%s\"],\"jti\":\"%u\"%s}",
		token->issuer ? token->issuer : ISSUER, token->audience ? token->audience : "bartizan", token->sub ? token->sub : token->user, (long long)now,
		(long long)now + 600, (long long)(clock_wall() - token->auth_age), token->user, token->group ? token->group : "sre",
		++made, token->more ? token->more : "");
	base64url(buf_data(&header), header.len, out);
	buf_putc(out, '.');
	base64url(buf_data(&payload), payload.len, out);
	assert_int_equal(EVP_DigestSignInit(context, NULL, NULL, NULL, provider_key), 1);
	assert_int_equal(EVP_DigestSign(context, signature, &len, buf_data(out), out->len), 1);
	buf_putc(out, '.');
	base64url(signature, len, out);
	EVP_MD_CTX_free(context);
}

/* ---- egress' part ---- */

static inline uint32_t login_started(const char *provider, int64_t max_age)
{
	struct heard *start = expect(world.egress, IPC_LOGIN_START);
	uint32_t id = start->id;
	assert_string_equal(MSG(start, msg_login_start)->provider, provider);
	assert_int_equal(MSG(start, msg_login_start)->max_age, max_age);
	done(start);
	return id;
}

static inline void login_code(uint32_t id, const char *code)
{
	struct msg_login_code msg = { (char *)code, (char *)"https://login.example.com/device", (char *)"", 600 };
	say(world.egress, IPC_LOGIN_CODE, id, &msg, -1);
}

static inline void login_done(uint32_t id, const struct token *token)
{
	BUF_CLEANUP struct buf bytes = BUF_INIT(IPC_TOKEN_MAX);
	token_make(token, &bytes);
	say(world.egress, IPC_LOGIN_DONE, id, &(struct msg_login_done){ .ok = true, .kind = (char *)"", .reason = (char *)"", .id_token = buf_bytes(&bytes) }, -1);
}

static inline void login_failed(uint32_t id, const char *kind, const char *reason)
{
	say(world.egress, IPC_LOGIN_DONE, id, &(struct msg_login_done){ .kind = (char *)kind, .reason = (char *)reason }, -1);
}

/* ---- the session's part ---- */

static inline struct heard *offer(struct peer *session, const char *user, const struct sshkey *key, bool proved)
{
	say(session, IPC_AUTH, 0, &(struct msg_auth){ proved, (char *)user, sshkey_blob(key) }, -1);
	return expect(session, IPC_AUTH_ANSWER);
}

/* A key is proved and has no login: partial success. */
static inline struct peer *half_in(const struct sshkey *key)
{
	struct peer *session = connect_client();
	struct heard *answer = offer(session, "alice", key, true);
	assert_false(MSG(answer, msg_auth_answer)->ok);
	assert_true(MSG(answer, msg_auth_answer)->partial && MSG(answer, msg_auth_answer)->proved);
	assert_non_null(strstr(MSG(answer, msg_auth_answer)->reason, "ssh gw login"));
	done(answer);
	return session;
}

static inline void expect_prompt(struct peer *session, const char *words)
{
	struct heard *prompt = expect(session, IPC_LOGIN_PROMPT);
	if (!strstr(MSG(prompt, msg_login_prompt)->text, words))
		fail_msg("'%s' is not in '%s'", words, MSG(prompt, msg_login_prompt)->text);
	done(prompt);
}

static inline void begin_login(struct peer *session)
{
	say(session, IPC_LOGIN, 0, &(struct msg_login){ (char *)"alice", (char *)"" }, -1);
}

static inline void input(struct peer *session, const char *text)
{
	say(session, IPC_LOGIN_INPUT, 0, &(struct msg_login_input){ { (const uint8_t *)text, strlen(text) } }, -1);
}

static inline void expect_in(struct peer *session, const char *user)
{
	struct heard *answer = expect(session, IPC_AUTH_ANSWER);
	if (!MSG(answer, msg_auth_answer)->ok)
		fail_msg("%s", MSG(answer, msg_auth_answer)->reason);
	assert_true(MSG(answer, msg_auth_answer)->proved);
	assert_string_equal(MSG(answer, msg_auth_answer)->user, user);
	done(answer);
	done(expect(world.parent, IPC_AUTHENTICATED));
}

static inline void expect_out(struct peer *session, const char *words)
{
	struct heard *answer = expect(session, IPC_AUTH_ANSWER);
	assert_false(MSG(answer, msg_auth_answer)->ok || MSG(answer, msg_auth_answer)->partial);
	if (!strstr(MSG(answer, msg_auth_answer)->reason, words))
		fail_msg("'%s' is not in '%s'", words, MSG(answer, msg_auth_answer)->reason);
	assert_null(strchr(MSG(answer, msg_auth_answer)->reason, '\033'));
	done(answer);
	assert_non_null(strstr(events_of("login-refused").last, words));
}

/* The whole of a good login. */
static inline struct peer *person_in(const struct sshkey *key, const char *user, const char *group)
{
	struct peer *session = half_in(key);
	begin_login(session);
	uint32_t id = login_started("corp", -1);
	login_code(id, "ABCD-EFGH");
	expect_prompt(session, "Open https://login.example.com/device and enter the code ABCD-EFGH");
	login_done(id, &(struct token){ .user = user, .group = group });
	expect_in(session, user);
	return session;
}

/* ---- commands ---- */

static inline unsigned command_in(struct peer *session, uint32_t channel, const char *stdin_text, struct buf *ret_out, char *const *argv)
{
	unsigned status;
	say(session, IPC_COMMAND, 0, &(struct msg_command){ .channel = channel, .argv = (char **)argv }, -1);
	if (stdin_text) {
		say(session, IPC_COMMAND_INPUT, 0, &(struct msg_command_input){ channel, { (const uint8_t *)stdin_text, strlen(stdin_text) } }, -1);
		say(session, IPC_COMMAND_INPUT, 0, &(struct msg_command_input){ channel, { (const uint8_t *)"", 0 } }, -1);
	}
	struct heard *end = expect(session, IPC_COMMAND_EXIT), *output;
	status = MSG(end, msg_command_exit)->status;
	done(end);
	while ((output = take(session, IPC_OUTPUT))) {
		buf_put(ret_out, MSG(output, msg_output)->data.data, MSG(output, msg_output)->data.len);
		done(output);
	}
	return status;
}

#endif

/* For the tests of policy: configurations in memory, identities, and three public keys. */
#ifndef BARTIZAN_TEST_POLICY_WORLD_H
#define BARTIZAN_TEST_POLICY_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/fd.h"
#include "policy/config.h"

#define KEY_A "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH9s5XSBtm24mseS88GoDOSpHY7461+2h+uiSAAJbnET"
#define KEY_B "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAwh5D2MhLSVzlVw7e+9QD5hxX/HwAti2l3hFKkjFKLQ"
#define KEY_C "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJXznk2E9QSjrzwSnertM7/I0bfGDzRlUCfFXy4lRq7O"
#define WORLD_CA \
	"-----BEGIN CERTIFICATE-----\n" \
	"MIIBgDCCASegAwIBAgIUW8p63VXiMU+D6TnTZsdH6+GBsMwwCgYIKoZIzj0EAwIw\n" \
	"FTETMBEGA1UEAwwKRXhhbXBsZSBDQTAgFw0yNjExMjMyMjM2MDJaGA8yMTI2MTAz\n" \
	"MDIyMzYwMlowFTETMBEGA1UEAwwKRXhhbXBsZSBDQTBZMBMGByqGSM49AgEGCCqG\n" \
	"SM49AwEHA0IABK9z1wk+G50m2ejND4OGbGwDTM8UZHAUMcl4hc9Uo43gizHJ6WV/\n" \
	"HfV8+HzTJmmR3uWd4efDbm1TjRwmYFMio6ujUzBRMB0GA1UdDgQWBBS4H2sAotsg\n" \
	"xfAPpbNOtL407hG5tjAfBgNVHSMEGDAWgBS4H2sAotsgxfAPpbNOtL407hG5tjAP\n" \
	"BgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCIG41jAC5fiugT/+qEkb4\n" \
	"evs9Ebk//x4J6Wq/CQgxj0TrAiABEvxB9iZkpMymQEP7AgZibVnInLxG6Z4CSnYg\n" \
	"HDKexg==\n" \
	"-----END CERTIFICATE-----\n"
/* magic, format 1, list version 1, time, flags, reserved and comment: an empty list */
#define WORLD_KRL "SSHKRL\n\0" "\0\0\0\1" "\0\0\0\0\0\0\0\1" "\0\0\0\0\0\0\0\0" "\0\0\0\0\0\0\0\0" "\0\0\0\0" "\0\0\0\0"
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static inline struct bytes world_bytes(const char *text)
{
	return (struct bytes){ (const uint8_t *)text, strlen(text) };
}

/* The files of a configuration: /etc/bartizan/config.yaml with this text, a CA, known hosts, and Berlin's zone where this machine has it. */
static inline struct files *world_files(const char *text)
{
	struct files *files = files_in_memory();
	BUF_CLEANUP struct buf zone = BUF_INIT(65536);
	if (!files || files_add(files, "/etc/bartizan/config.yaml", world_bytes(text)) ||
		files_add(files, "/etc/bartizan/step_user_ca.pub", world_bytes("# ours\n" KEY_B " step\n")) ||
		files_add(files, "/etc/bartizan/corp_ca.pem", world_bytes(WORLD_CA)) ||
		files_add(files, "/etc/bartizan/revoked.krl", (struct bytes){ (const uint8_t *)WORLD_KRL, sizeof(WORLD_KRL) - 1 }) ||
		files_add(files, "/etc/bartizan/cut.krl", (struct bytes){ (const uint8_t *)WORLD_KRL, 12 }) ||
		files_add(files, "/etc/bartizan/known_hosts", world_bytes("a.db.example.com " KEY_A "\n")))
		abort();
	if (fd_read_file(-100 /* AT_FDCWD */, "/usr/share/zoneinfo/Europe/Berlin", 65536, &zone, NULL) == 0)
		files_add(files, "/usr/share/zoneinfo/Europe/Berlin", buf_bytes(&zone));
	return files;
}

static inline int world_load(const char *text, struct config **ret, struct err *err)
{
	FILES_CLEANUP struct files *files = world_files(text);
	return config_load(files, "config.yaml", ret, err);
}

/* Loads, or fails the test with the reason. */
static inline struct config *world_config(const char *text)
{
	struct config *config = NULL;
	struct err err = { 0 };
	if (world_load(text, &config, &err) < 0)
		fail_msg("%s", err.text);
	return config;
}

/* The same with what this version does not support yet. */
static inline int world_load_all(const char *text, struct config **ret, struct err *err)
{
	FILES_CLEANUP struct files *files = world_files(text);
	return config_load_all(files, "config.yaml", ret, err);
}

static inline struct config *world_all(const char *text)
{
	struct config *config = NULL;
	struct err err = { 0 };
	if (world_load_all(text, &config, &err) < 0)
		fail_msg("%s", err.text);
	return config;
}

static inline void world_refused_by(int (*load)(const char *, struct config **, struct err *), const char *text, const char *words)
{
	struct config *config = NULL;
	struct err err = { 0 };
	int rc = load(text, &config, &err);
	if (rc >= 0 || !strstr(err.text, words) || strncmp(err.text, "config.yaml:", 12) != 0)
		fail_msg("'%s': %d '%s', expected '%s'", text, rc, err.text, words);
	assert_null(config);
}

/* The text must be refused with an error that has these words. */
static inline void world_refused(const char *text, const char *words)
{
	world_refused_by(world_load, text, words);
}

static inline void world_refused_all(const char *text, const char *words)
{
	world_refused_by(world_load_all, text, words);
}

#endif

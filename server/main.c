/* bartizand: options, and then the listener. It always runs in the foreground and logs to standard
 * error; a service manager or a shell does the rest.
 *
 * -t and -T check in this process: it serves nobody and ends. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/version.h"
#include "policy/config.h"
#include "server/broker/broker.h"
#include "server/egress/egress.h"
#include "server/libssh/library.h"
#include "server/listener/listener.h"
#include "server/reader/make.h"
#include "server/role/role.h"
#include "server/session/session.h"
#include "server/signer/signer.h"

#define CONFIG_DEFAULT "/etc/bartizan/config.yaml"
#define DUMP_MAX CONFIG_DUMP_MAX

static const struct role_mains mains = {
	.broker = broker_main,
	.signer = signer_main,
	.egress = egress_main,
	.session = session_main,
	.scan = session_scan_main,
	.reader = reader_main,
};

static const char usage[] =
	"usage: bartizand [-c FILE] [-d] [--ready-fd N]\n"
	"       bartizand [-c FILE] -t | -T\n"
	"       bartizand -V | -h\n"
	"  -c, --config FILE   configuration (default " CONFIG_DEFAULT ")\n"
	"  -t, --check         check it, say \"config ok\" or what is wrong, and end\n"
	"  -T, --dump          check it, print what is in force, and end\n"
	"  -d, --debug         log everything\n"
	"      --ready-fd N    write a line to this descriptor once connections are accepted\n"
	"  -V, --version\n"
	"  -h, --help\n";

static const struct option longs[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "check", no_argument, NULL, 't' },
	{ "dump", no_argument, NULL, 'T' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ "debug", no_argument, NULL, 'd' },
	{ "ready-fd", required_argument, NULL, 'r' },
	{ NULL, 0, NULL, 0 },
};

static int check(const char *config, bool dump)
{
	struct buf text BUF_CLEANUP = BUF_INIT(DUMP_MAX);
	struct err err = { "" };
	int rc = reader_check(config, dump ? &text : NULL, &err);

	if (rc < 0) {
		fprintf(stderr, "bartizand: %s\n", err.text);
		return 1;
	}
	if (dump)
		fwrite(buf_data(&text), 1, text.len, stdout);
	else
		puts("config ok");
	return fflush(stdout) == 0 ? 0 : 1;
}

static int ready_fd_parse(const char *text, int *ret)
{
	char *end;
	long fd = strtol(text, &end, 10);

	if (*text == '\0' || *end || fd < 0 || fd > 65535)
		return -EINVAL;
	int copy = fcntl((int)fd, F_DUPFD_CLOEXEC, 3); /* 0 and 1 become /dev/null */
	if (copy < 0)
		return -errno;
	if (fd > STDERR_FILENO)
		close((int)fd);
	*ret = copy;
	return 0;
}

static int version(void)
{
	char words[LIBRARY_WORDS_MAX];
	const char *missing = library_missing();

	library_describe(words, sizeof(words));
	printf("bartizand " BARTIZAN_VERSION "\n%s\n", words);
	if (missing)
		printf("missing: %s\n", missing);
	return fflush(stdout) == 0 ? 0 : 1;
}

struct choice {
	struct listener_options options;
	char mode;
};

/* 0: go on; 1: wrong use; mode says what to do. */
static int options_parse(int argc, char **argv, struct choice *choice)
{
	int option;

	while ((option = getopt_long(argc, argv, "c:tTVhd", longs, NULL)) != -1) {
		if (option == 'c')
			choice->options.config = optarg;
		else if (option == 'd')
			choice->options.debug = true;
		else if (option == 'r' && ready_fd_parse(optarg, &choice->options.ready_fd) < 0)
			return fprintf(stderr,
				       "bartizand: --ready-fd '%s' is not an open descriptor\n",
				       optarg),
			       1;
		else if (option == '?')
			return 1;
		else if (option != 'r')
			choice->mode = (char)option;
	}
	if (optind < argc)
		return fprintf(stderr, "bartizand: '%s' is not an option\n", argv[optind]), 1;
	return 0;
}

int main(int argc, char **argv)
{
	struct choice choice = {
		.options = { .config = CONFIG_DEFAULT, .mains = &mains, .ready_fd = -1 }
	};

	if (options_parse(argc, argv, &choice)) {
		fputs(usage, stderr);
		return 2;
	}
	if (choice.mode == 'h')
		return fputs(usage, stdout) < 0;
	if (choice.mode == 'V')
		return version();
	log_setup(role_name(ROLE_LISTENER), choice.options.debug ? LOG_DEBUG_ : LOG_INFO_);
	if (choice.mode == 't' || choice.mode == 'T')
		return check(choice.options.config, choice.mode == 'T');
	/* the title is written over argv */
	char *config FREE_CLEANUP = strdup(choice.options.config);
	if (!config)
		return 1;
	choice.options.config = config;
	role_title_init(argc, argv);
	return listener_run(&choice.options);
}

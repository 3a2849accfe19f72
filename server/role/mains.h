/* The roles' mains as a table: the program hands it to the listener, which starts the roles and
 * links none of them. */
#ifndef BARTIZAN_ROLE_MAINS_H
#define BARTIZAN_ROLE_MAINS_H

#include "server/role/role.h"
#include "server/role/session_conf.h"

/* The descriptors in the reader's answer (server/reader/make.h). */
enum reader_fd { READER_BUNDLE, READER_SIGNER, READER_EGRESS, READER_FDS };

struct role_mains {
	role_main_fn *broker, *signer, *egress;
	session_main_fn *session, *scan;
	/* loads and checks the configuration, and answers on the descriptor: listener/reader.h */
	int (*reader)(const char *path, int fd);
};

#endif

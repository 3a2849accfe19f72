/* The shuttle: carries the bytes of an inner leg between its socketpair and the outer connection's
 * direct-tcpip channel (jump mode).
 *
 *   client == outer leg's channel ==> fd -> (socketpair) -> inner leg's libssh session
 *
 * When the inner transport ends, EOF and CLOSE go out on the outer channel at once, or `ssh -J`
 * would hang on exit. */
#ifndef BARTIZAN_SESSION_SHUTTLE_H
#define BARTIZAN_SESSION_SHUTTLE_H

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <stdbool.h>

#include "common/buf.h"

struct leg;

struct shuttle {
	struct leg *outer;
	ssh_channel channel;
	struct ssh_channel_callbacks_struct callbacks;
	int fd;		  /* our end; the other is the inner leg's transport; -1: closed */
	struct buf down;  /* inner leg -> client, not yet taken by the channel */
	struct buf up;	  /* client -> inner leg, fetched from libssh */
	bool unread;	  /* libssh holds bytes for the inner leg */
	bool client_done; /* EOF or CLOSE came from the client */
	bool inner_done;  /* the inner transport has ended */
	bool close_sent, client_closed;
	bool spoke;   /* the first bytes were checked */
	bool not_ssh; /* they were no SSH identification: this is a plain forward */
};

struct shuttle *shuttle_new(struct leg *outer, ssh_channel channel, int fd); /* takes fd */
void shuttle_free(struct shuttle *shuttle);
/* the outer connection has ended, and the channel with it */
void shuttle_orphan(struct shuttle *shuttle);
short shuttle_events(const struct shuttle *shuttle);
void shuttle_turn(struct shuttle *shuttle, short revents);
bool shuttle_done(const struct shuttle *shuttle); /* closed on both sides */
bool shuttle_can_move(const struct shuttle *shuttle);

#endif

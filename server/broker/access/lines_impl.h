/* What server/broker/access/lines.c and server/broker/access/lines_wait.c share; nobody else
 * includes it. */
#ifndef BARTIZAN_BROKER_ACCESS_LINES_IMPL_H
#define BARTIZAN_BROKER_ACCESS_LINES_IMPL_H

#include "common/typed_line.h"
#include "policy/typed.h"
#include "server/broker/access/lines.h"
#include "server/broker/approval/waiter.h"

struct lines {		      /* typed in one shell, or in the program of one exec */
	struct waiter waiter; /* only while a line waits */
	struct peer_leg *leg;
	uint32_t channel;
	enum access_kind kind;
	struct buf inside; /* the command of an exec; empty for a shell */
	struct buf env;	   /* as it went to the target: a line may name its variables */
	char *rule;
	char *reason;		/* of the approval that opened the shell; "": none was asked for */
	uint32_t number;	/* of the last line */
	enum line_verdict said; /* about it */
	bool waiting;
	struct msg_line asked; /* the question, while it waits: a copy */
};

struct judging { /* one look at a line */
	struct lines *lines;
	const struct msg_line *msg;
	struct typed_line line;
	const struct approval_rule *settings;
	struct typed_judgement found;
	const char *approval; /* that allows it; NULL: none */
	char notice[LINE_NOTICE_MAX];
};

static inline struct broker *lines_broker(const struct lines *lines)
{
	return lines->leg->client->broker;
}

/* server/broker/access/lines.c */
/* ret borrows from msg */
int lines_unpack(const struct msg_line *msg, struct typed_line *ret, struct err *err);
/* again: it has waited for people, so the shell's own rule is asked anew, too. Ends in an answer,
 * or in a wait. */
void lines_judge(struct judging *judging, bool again);
/* would the shell's rule and its guard let this line be, if people approved it? */
int lines_recheck(const struct lines *lines, const struct typed_line *line, struct err *err);
int lines_audit(const struct judging *judging, enum line_verdict verdict);
/* Ends a wait; writes the event, then sends the verdict with judging->notice. */
void lines_answer(struct judging *judging, enum line_verdict verdict);
void lines_refuse(struct judging *judging, const char *words);
void lines_send(const struct lines *lines, enum line_verdict verdict, const char *notice);

/* server/broker/access/lines_wait.c */
/* judging->found asks for an approval: uses it, waits for it, or requests it */
void lines_approve(struct judging *judging);
void lines_wait_end(struct lines *lines); /* where one waits; its request stays */
/* The user has given the line up: its request is cancelled, unless somebody else waits for it. */
void lines_wait_cancel(struct lines *lines);

#endif

/* What server/broker/access/lines.c and server/broker/access/lines_wait.c share; nobody else
 * includes it. */
#ifndef BARTIZAN_BROKER_ACCESS_LINES_IMPL_H
#define BARTIZAN_BROKER_ACCESS_LINES_IMPL_H

#include "common/typed_line.h"
#include "policy/typed.h"
#include "server/broker/access/lines.h"

struct lines {			 /* of one shell */
	LIST_ENTRY(lines) entry; /* while a line waits */
	struct peer_leg *leg;
	uint32_t channel;
	char *rule;
	char *reason;		/* of the approval that opened the shell; "": none was asked for */
	uint32_t number;	/* of the last line */
	enum line_verdict said; /* about it */
	/* busy: it is being judged again; what that changes in the queue is no news to it */
	bool waiting, busy;
	/* something happened to the request, and it has not heard of it yet */
	bool news;
	struct msg_line asked; /* the question, while it waits: a copy */
	char id[8];	       /* the request that it waits for */
	unsigned votes, needed;
	int64_t deadline; /* lapse ms */
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
/* again: people have thought about it; ends in an answer, or in a wait */
void lines_judge(struct judging *judging, bool again);
int lines_audit(const struct judging *judging, enum line_verdict verdict);
/* with judging->notice; the event first. Ends a wait */
void lines_answer(struct judging *judging, enum line_verdict verdict);
void lines_refuse(struct judging *judging, const char *words);
void lines_send(const struct lines *lines, enum line_verdict verdict, const char *notice);

/* server/broker/access/lines_wait.c */
void lines_approve(struct judging *judging); /* judging->found wants an approval */
void lines_wait_over(struct lines *lines);   /* the request stays */
/* the line is no more: the request goes, too, unless somebody else waits for it */
void lines_give_up(struct lines *lines);

#endif

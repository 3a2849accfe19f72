/* Notifications: requests created, decided, expiring; broken glass. To a command (run by the
 * listener's child) and to a webhook (posted by egress), as the configuration says. Nothing waits
 * for them; what does not fit into the queue is dropped, and the log says so. */
#ifndef BARTIZAN_BROKER_APPROVAL_NOTIFY_H
#define BARTIZAN_BROKER_APPROVAL_NOTIFY_H

#include "server/broker/approval/queue.h"

#define NOTIFY_QUEUE_MAX 1000
#define NOTIFY_TRIES 20
#define NOTIFY_RETRY_MS 1000 /* after the first failure; then doubled */
#define NOTIFY_RETRY_MS_MAX 300000
#define NOTIFY_POST_MS 30000 /* egress answers within */
#define NOTIFY_PARALLEL 4    /* posts at one time */

struct notifier;
int notifier_open(struct broker *broker, struct notifier **ret);
void notifier_close(struct notifier *notifier); /* NULL allowed; what waits is lost */

void notify_approval(struct broker *broker, const char *event, const struct approval *approval);
void notify_event(struct broker *broker, const char *event, json_t *data); /* steals data */

#endif

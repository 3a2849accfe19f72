/* Audit events and their signed checkpoints. An event that cannot be written is reported in the
 * log, and the act for which it stands must not happen. */
#include <errno.h>

#include "common/clock.h"
#include "common/log.h"
#include "server/broker/core/impl.h"
#include "store/audit.h"

int broker_audit(struct broker *broker, const char *type, json_t *data)
{
	struct err err = { 0 };
	int rc = data ? audit_append(broker->store, clock_wall_ms(), type, data, NULL, &err)
		      : err_set(&err, -ENOMEM, "out of memory");

	json_decref(data);
	if (rc)
		log_error("audit event '%s' cannot be written: %s", type, err.text);
	else
		checkpoint_if_due(broker, false);
	return rc;
}

static void on_signed(void *context, const void *data, struct ipc_raw *raw, const char *failure)
{
	(void)raw;
	struct broker *broker = context;
	const struct msg_signed *msg = data;
	const struct sshkey *key = broker_key(broker, "audit");
	struct err err = { 0 };
	if (!msg || !msg->ok || !key)
		log_warning("audit checkpoint %llu was not signed: %s",
			(unsigned long long)broker->private->checkpoint_seq,
			signed_failure(msg, failure, "there is no audit key"));
	else if (audit_checkpoint_put(broker->store, broker->private->checkpoint_seq,
			 clock_wall_ms(), key, msg->data, &err))
		log_error("audit checkpoint %llu: %s",
			(unsigned long long)broker->private->checkpoint_seq, err.text);
	broker->private->on_idle(broker);
}

void checkpoint_if_due(struct broker *broker, bool now)
{
	struct broker_private *private = broker->private;
	uint64_t waiting = audit_unsigned(broker->store);

	if (private->checkpoint || !private->signer || !waiting ||
		(!now && waiting < (uint64_t)broker->config->conf->audit_checkpoint))
		return;
	BUF_CLEANUP struct buf data = BUF_INIT(4096);
	struct err err = { 0 };
	int rc = audit_checkpoint_data(broker->store, &private->checkpoint_seq, &data, &err);
	if (!rc)
		rc = ask(private->signer, IPC_SIGN_AUDIT,
			&(struct msg_sign_audit){ buf_bytes(&data) }, BROKER_SIGN_MS, on_signed,
			broker, &private->checkpoint);
	if (rc)
		log_warning("audit checkpoint: %s",
			*err.text ? err.text : "the signer cannot be reached");
}

/* From the whole configuration to what each role may know of it: which value goes into whose slice.
 *
 * Slices borrow everything from the configuration, and are valid as long as that is. */
#ifndef BARTIZAN_READER_SLICES_H
#define BARTIZAN_READER_SLICES_H

#include "common/err.h"
#include "policy/config.h"
#include "server/role/egress_conf.h"
#include "server/role/listener_conf.h"
#include "server/role/signer_conf.h"

struct slices {
	struct listener_conf listener;
	struct signer_conf signer;
	struct egress_conf egress;
};

int slices_make(const struct config *config, struct slices *ret, struct err *err);
void slices_release(struct slices *slices); /* what was made for them alone */

#endif

/* A store in a folder of its own, for one test. */
#ifndef BARTIZAN_TEST_PLACE_H
#define BARTIZAN_TEST_PLACE_H

#include "store/store.h"
#include "tests/unit/scratch.h"

struct place {
	struct scratch scratch;
	struct store *store;
};

/* For cmocka: *state is the place. */
static inline int place_set_up(void **state)
{
	struct place *place = calloc(1, sizeof *place);
	struct err err = { "" };
	int rc;

	if (!place)
		abort();
	place->scratch = scratch_new();
	*state = place;
	rc = store_open(place->scratch.fd, false, &place->store, &err);
	if (rc)
		print_error("%s\n", err.text);
	return rc;
}

static inline int place_tear_down(void **state)
{
	struct place *place = *state;

	store_close(place->store);
	scratch_remove(&place->scratch);
	free(place);
	return 0;
}

static inline struct store *place_store(void **state)
{
	return ((struct place *)*state)->store;
}

#endif

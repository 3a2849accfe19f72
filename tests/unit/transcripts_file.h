/* A new file of a transcript, for tests that have no record whose folder is open. */
#ifndef TESTS_UNIT_TRANSCRIPTS_FILE_H
#define TESTS_UNIT_TRANSCRIPTS_FILE_H

#include "common/fd.h"
#include "store/transcripts.h"

static inline int transcripts_file(struct store *store, const char *path, const char *name, struct err *err)
{
	FD_CLEANUP int folder = transcripts_folder(store, path, err);
	return folder < 0 ? folder : transcript_file(folder, name, err);
}

#endif

/* The folders of transcripts: state_dir/transcripts/YYYY/MM/DD/SESSION/, one .cast per channel and
 * session.json.
 *
 * Names are made here from validated ULIDs and numbers; no text of a client becomes part of a path.
 * Folders 0700, files 0600. */
#ifndef BARTIZAN_TRANSCRIPTS_H
#define BARTIZAN_TRANSCRIPTS_H

#include "common/json.h"
#include "store/sessions.h"
#include "store/store.h"

#define TRANSCRIPT_PATH_MAX 96
#define TRANSCRIPT_NAME_MAX 64 /* a-z, 0-9, '-', '.', not beginning with '.' */
#define TRANSCRIPT_JSON_MAX (16 * 1024 * 1024)
#define TRANSCRIPT_LOST_REASON "the gateway stopped while the session was open"

/* Creates the folder for a session begun at started_ms; path is relative to the state directory. */
int transcripts_create(struct store *store, const char *session, int64_t started_ms,
	char path[static TRANSCRIPT_PATH_MAX], struct err *err);
/* Opens it: a descriptor for the calls below (caller closes), or -errno. Who works in one folder
 * for long keeps it, and no path is walked again. */
int transcripts_folder(struct store *store, const char *path, struct err *err);

/* Creates (exclusively) NAME in the folder, e.g. "0-shell.cast": an fd open for reading and
 * appending, or -errno. The file is locked as long as that descriptor or a copy of it is open in
 * any process: recovery does not touch a file to which somebody may still append. */
int transcript_file(int folder, const char *name, struct err *err);
/* fd for reading */
int transcript_read(int folder, const char *name, struct err *err);
/* for reading and writing: of a file to which nobody appends any more */
int transcript_mend(int folder, const char *name, struct err *err);
/* session.json: written whole to a temporary name, synced, renamed. */
int transcript_write_json(int folder, json_t *session, struct err *err);
/* SHA-256 */
int transcript_digest(int folder, const char *name, char hex[static 65], struct err *err);

/* The same for who has the path only. */
int transcripts_read(struct store *store, const char *path, const char *name, struct err *err);
int transcripts_mend(struct store *store, const char *path, const char *name, struct err *err);
int transcripts_write_json(struct store *store, const char *path, json_t *session, struct err *err);
int transcripts_read_json(struct store *store, const char *path, json_t **ret, struct err *err);
int transcripts_digest(struct store *store, const char *path, const char *name, char hex[static 65],
	struct err *err);

/* Free bytes of the file system that an ordinary user may use. */
int transcripts_free_bytes(struct store *store, uint64_t *ret, struct err *err);

/* At start: closes every session that is still open as lost, at the last time found in its files;
 * cuts its transcripts at the end of a line and adds a marker, completes its session.json, and
 * appends an audit event "session-lost". A damaged session does not block the others; nothing is
 * deleted. *ret_count: how many sessions were closed. */
int transcripts_recover(struct store *store, int64_t now_ms, unsigned *ret_count, struct err *err);

#endif

/* Errors that a human reads.
 *
 * A function that can fail returns 0 or a negative errno and, where somebody must know why, fills a
 * `struct err`, its last parameter. The text is lower case, complete on its own, names its subject
 * in quotes, and ends without a full stop. Callers prefix context: "target 'db1': host key: not
 * base64". NULL is allowed wherever a `struct err *` is taken. */
#ifndef BARTIZAN_ERR_H
#define BARTIZAN_ERR_H

#define ERR_TEXT_MAX 1024 /* bytes with the NUL; longer texts are cut */

struct err {
	char text[ERR_TEXT_MAX];
};

/* Writes the text and returns rc unchanged, so that `return err_set(e, -EINVAL, "…")` is one line.
 */
int err_set(struct err *err, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts context in front of the text: err_prefix(e, "target '%s'", name) gives "target 'db1':
 * <text>". Returns rc. */
int err_prefix(struct err *err, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif

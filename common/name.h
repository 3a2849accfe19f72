/* Names of people and groups as somebody else writes them: a provider, or a foreign authority. What
 * they may hold is less than what our own configuration may (text_name_ok): whoever reads a name in
 * a list has to know whom it means.
 *
 *   always     what text_name_ok() asks
 *   else       ASCII letters and digits, and . _ @ + - '
 *   unicode    further letters, of one script in each part (parts end at `@`): Cyrillic `с` among
 *              Latin letters is refused. A part of one script that looks like another is not: that
 *              is what `unicode` means. Japanese is Han with both kinds of kana, Korean is Hangul
 *              with Han, Taiwanese is Han with Bopomofo.
 *   workload   `:` too, as in "system:serviceaccount:ci:deploy"
 *
 * No name begins with "local:", which is how accounts of the gateway's own machine are named. */
#ifndef BARTIZAN_NAME_H
#define BARTIZAN_NAME_H

#include <stdbool.h>
#include <stddef.h>

#define NAME_UNICODE 1u
#define NAME_WORKLOAD 2u
#define NAME_WHY_MAX 128

/* why: what is wrong, in words that follow "the name '…': "; harmless to show. */
bool name_ok(const char *name, size_t len, unsigned flags, char why[static NAME_WHY_MAX]);

#endif

/* Could it match? A shell-like pattern against a text of which some bytes are only known when the
 * line runs.
 *
 * The pattern is an automaton whose states are its positions; a set of states is a row of bits, and
 * each byte of the text moves all of them at once. An uncertain part of the text may be any bytes,
 * so it moves every state to all those behind it. Cost: length of the text times PATTERN_MAX / 64.
 */
#include <stdlib.h>
#include <string.h>

#include "policy/guard_impl.h"

#define BITS 64
#define ROW_MAX ((PATTERN_MAX + 1 + BITS) / BITS)

struct guard_automaton {
	size_t end;	    /* the state that matches; there is one for each item in front of it */
	size_t rows;	    /* words of a set of states */
	uint64_t *not_dash; /* state i may go to i + 1 with some byte other than a dash */
	uint64_t *stars;    /* state i may stay with any byte, and go to i + 1 with none */
	uint64_t accepts[]; /* 256 sets: state i may go to i + 1 with this byte */
};

static void set(uint64_t *row, size_t bit)
{
	row[bit / BITS] |= 1ull << bit % BITS;
}

/* One item of the pattern as pattern.c reads it: backslash takes the next byte as it is. Returns
 * its length. */
static size_t compile_item(struct guard_automaton *to, const char *text)
{
	size_t state = to->end++;

	if (*text == '*') {
		set(to->stars, state);
		return strspn(text, "*");
	}
	for (size_t byte = 0; *text == '?' && byte < 256; byte++)
		set(to->accepts + byte * to->rows, state);
	bool escaped = *text == '\\';
	if (*text != '?')
		set(to->accepts + (uint8_t)text[escaped] * to->rows, state);
	if (*text == '?' || text[escaped] != '-')
		set(to->not_dash, state);
	return escaped ? 2 : 1;
}

struct guard_automaton *guard_automaton_new(const char *pattern)
{
	size_t rows = (strlen(pattern) + BITS) / BITS;
	struct guard_automaton *automaton =
		calloc(1, sizeof(*automaton) + (256 + 2) * rows * sizeof(uint64_t));

	if (!automaton)
		return NULL;
	automaton->rows = rows;
	automaton->not_dash = automaton->accepts + 256 * rows;
	automaton->stars = automaton->not_dash + rows;
	while (*pattern)
		pattern += compile_item(automaton, pattern);
	return automaton;
}

/* A star lets its state go on without a byte; two stars never follow each other. */
static void close_stars(const struct guard_automaton *with, uint64_t *states)
{
	uint64_t carry = 0;

	for (size_t i = 0; i < with->rows; i++) {
		uint64_t moving = states[i] & with->stars[i];
		states[i] |= moving << 1 | carry;
		carry = moving >> (BITS - 1);
	}
}

static void move(const struct guard_automaton *with, uint64_t *states, const uint64_t *accepts)
{
	uint64_t carry = 0;

	for (size_t i = 0; i < with->rows; i++) {
		uint64_t moving = states[i] & accepts[i];
		states[i] = moving << 1 | carry | (states[i] & with->stars[i]);
		carry = moving >> (BITS - 1);
	}
	close_stars(with, states);
}

static bool is_empty(const struct guard_automaton *with, const uint64_t *states)
{
	for (size_t i = 0; i < with->rows; i++)
		if (states[i])
			return false;
	return true;
}

/* Any bytes, also none: all states behind the first. */
static void flood(const struct guard_automaton *with, uint64_t *states)
{
	size_t i = 0;

	while (i < with->rows && !states[i])
		i++;
	if (i == with->rows)
		return;
	states[i] |= ~((states[i] & -states[i]) - 1);
	for (i++; i < with->rows; i++)
		states[i] = UINT64_MAX;
}

/* None, or any bytes of which the first is no dash: what a pattern at the beginning of a word
 * stands for. */
static void flood_path(const struct guard_automaton *with, uint64_t *states)
{
	uint64_t before[ROW_MAX];

	memcpy(before, states, with->rows * sizeof(*before));
	move(with, states, with->not_dash);
	flood(with, states);
	for (size_t i = 0; i < with->rows; i++)
		states[i] |= before[i];
}

bool guard_could_match(const struct guard_automaton *with, struct bytes text, const uint8_t *kinds)
{
	uint64_t states[ROW_MAX] = { 1 };

	close_stars(with, states);
	for (size_t at = 0; at < text.len; at++) {
		bool again = at > 0 && kinds[at] == kinds[at - 1];
		bool begins = at == 0 || (text.data[at - 1] == ' ' && kinds[at - 1] == SHELL_PLAIN);
		if (kinds[at] <= SHELL_QUOTED) {
			move(with, states, with->accepts + text.data[at] * with->rows);
			if (is_empty(with, states))
				return false;
		}
		if (kinds[at] > SHELL_QUOTED && !again && kinds[at] == SHELL_PATTERN && begins)
			flood_path(with, states);
		else if (kinds[at] > SHELL_QUOTED && !again)
			flood(with, states);
	}
	return states[with->end / BITS] >> with->end % BITS & 1;
}

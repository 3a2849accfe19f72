/* Patterns over hostile bytes. The author of a pattern is trusted with its meaning, but its running
 * time is limited, because the subject comes from a client.
 *
 * Shell-like patterns are matched with one backtracking point, so their cost is at most text times
 * pattern. Regular expressions are matched on bytes (never UTF: an invalid byte must not turn a
 * deny into an error), `.` matches a newline as `*` does, `$` matches at the very end only. PCRE2's
 * own match limit starts again at every position of the subject, so a callout before each item
 * counts what the whole search costs. */
#include "common/pattern.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define REGEX_PREFIX "re:"
#define REGEX_COST_MAX 16000000 /* about 50 ms */
#define REGEX_COST_STEP 16	/* cost of one item; that of a byte passed is 1 */
#define REGEX_MATCH_MAX 1000000
#define REGEX_DEPTH_MAX 200000
#define REGEX_HEAP_KIB 16384

enum glob_kind { GLOB_BYTE, GLOB_ANY, GLOB_STAR };

struct glob {
	uint8_t kind, byte;
};

struct pattern {
	char *text;
	pcre2_code *regex; /* NULL: shell-like */
	size_t glob_len;
	struct glob glob[];
};

/* ---- compiling ---- */

/* A backslash takes the next byte as it is; a run of stars is one. */
static int glob_compile(struct pattern *pattern, struct err *err)
{
	for (const char *at = pattern->text; *at; at++) {
		struct glob item = { *at == '*'	  ? GLOB_STAR
				     : *at == '?' ? GLOB_ANY
						  : GLOB_BYTE,
			(uint8_t)*at };
		if (*at == '\\') {
			if (!*++at)
				return err_set(err, -EINVAL,
					"pattern '%s' ends with a lone backslash", pattern->text);
			item.byte = (uint8_t)*at;
		}
		bool again = item.kind == GLOB_STAR && pattern->glob_len &&
			     pattern->glob[pattern->glob_len - 1].kind == GLOB_STAR;
		if (!again)
			pattern->glob[pattern->glob_len++] = item;
	}
	return 0;
}

static int regex_compile(struct pattern *pattern, struct err *err)
{
	const char *text = pattern->text + strlen(REGEX_PREFIX);
	uint32_t options = PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP |
			   PCRE2_NEVER_BACKSLASH_C | PCRE2_AUTO_CALLOUT;

	PCRE2_UCHAR message[128];
	PCRE2_SIZE offset;
	int code;

	if (!*text)
		return err_set(err, -EINVAL, "pattern '%s' is empty", pattern->text);
	pattern->regex = pcre2_compile(
		(PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, options, &code, &offset, NULL);
	if (pattern->regex)
		return 0;
	pcre2_get_error_message(code, message, sizeof(message));
	return err_set(err, -EINVAL, "pattern '%s': %s at character %zu", pattern->text,
		(char *)message, (size_t)offset + 1);
}

int pattern_compile(const char *text, struct pattern **ret, struct err *err)
{
	size_t len = strlen(text);

	if (!len)
		return err_set(err, -EINVAL, "the pattern is empty");
	if (len > PATTERN_MAX)
		return err_set(err, -EMSGSIZE, "pattern '%.64s…' is longer than %d bytes", text,
			PATTERN_MAX);
	struct pattern *pattern = calloc(1, sizeof(*pattern) + len * sizeof(struct glob));
	if (!pattern || !(pattern->text = strdup(text))) {
		pattern_free(pattern);
		return err_set(err, -ENOMEM, "out of memory for a pattern");
	}
	bool regex = !strncmp(text, REGEX_PREFIX, strlen(REGEX_PREFIX));
	int rc = regex ? regex_compile(pattern, err) : glob_compile(pattern, err);
	if (rc)
		pattern_free(pattern);
	else
		*ret = pattern;
	return rc;
}

void pattern_free(struct pattern *pattern)
{
	if (!pattern)
		return;
	pcre2_code_free(pattern->regex);
	free(pattern->text);
	free(pattern);
}

const char *pattern_text(const struct pattern *pattern)
{
	return pattern->text;
}

/* ---- matching ---- */

/* Only the last star needs another try: an earlier one can keep its shortest match. */
static bool glob_match(const struct pattern *pattern, const uint8_t *data, size_t len)
{
	size_t at = 0, item = 0, star = SIZE_MAX, star_at = 0;

	while (at < len) {
		const struct glob *glob = item < pattern->glob_len ? &pattern->glob[item] : NULL;
		if (glob && glob->kind == GLOB_STAR) {
			star = item++;
			star_at = at;
		} else if (glob && (glob->kind == GLOB_ANY || glob->byte == data[at])) {
			item++;
			at++;
		} else if (star != SIZE_MAX) {
			item = star + 1;
			at = ++star_at;
		} else {
			return false;
		}
	}
	while (item < pattern->glob_len && pattern->glob[item].kind == GLOB_STAR)
		item++;
	return item == pattern->glob_len;
}

struct cost {
	size_t spent, last; /* last: position of the previous callout */
};

static int count_cost(pcre2_callout_block *block, void *context)
{
	struct cost *cost = context;
	size_t here = block->current_position;

	cost->spent +=
		REGEX_COST_STEP + (here > cost->last ? here - cost->last : cost->last - here);
	cost->last = here;
	return cost->spent > REGEX_COST_MAX ? PCRE2_ERROR_MATCHLIMIT : 0;
}

static enum pattern_answer regex_match(const struct pattern *pattern, const char *data, size_t len)
{
	struct cost cost = { 0 };
	enum pattern_answer answer = PATTERN_ERROR;
	pcre2_match_context *context = pcre2_match_context_create(NULL);
	pcre2_match_data *result = pcre2_match_data_create(1, NULL);

	if (context && result) {
		pcre2_set_match_limit(context, REGEX_MATCH_MAX);
		pcre2_set_depth_limit(context, REGEX_DEPTH_MAX);
		pcre2_set_heap_limit(context, REGEX_HEAP_KIB);
		pcre2_set_callout(context, count_cost, &cost);
		int rc = pcre2_match(pattern->regex, (PCRE2_SPTR)data, len, 0, 0, result, context);
		if (rc >= 0)
			answer = PATTERN_YES;
		else
			answer = rc == PCRE2_ERROR_NOMATCH ? PATTERN_NO : PATTERN_ERROR;
	}
	pcre2_match_data_free(result);
	pcre2_match_context_free(context);
	return answer;
}

enum pattern_answer pattern_match(const struct pattern *pattern, const char *data, size_t len)
{
	if (pattern->regex)
		return regex_match(pattern, len ? data : "", len);
	return glob_match(pattern, (const uint8_t *)data, len) ? PATTERN_YES : PATTERN_NO;
}

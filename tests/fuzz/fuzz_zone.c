/* Time zones: any bytes as a TZif file, and as the rule at its end. */
#include <stdlib.h>
#include <string.h>

#include "policy/window.h"
#include "policy/zone_rule.h"

#include "tests/fuzz/fuzz.h"

static const int64_t instants[] = { INT64_MIN / 4, -62135596800, -1, 0, 1795860000, 2216250000, 4102444800, INT64_MAX / 4 };

static void zone(struct bytes file)
{
	struct zone *zone = NULL;
	struct err err = { "" };
	char text[WINDOW_TEXT_MAX];
	if (zone_parse("Fuzz", file, &zone, &err) < 0) {
		REQUIRE(!zone && *err.text);
		return;
	}
	const struct window window = { 0x3e, 480, 1200, zone };
	for (size_t i = 0; i < sizeof(instants) / sizeof(instants[0]); i++) {
		int32_t offset = zone_offset(zone, instants[i]);
		REQUIRE(offset >= -26 * 3600 && offset <= 26 * 3600);
		(void)window_contains(&window, instants[i]);
		REQUIRE(strlen(window_format_now(&window, instants[i], text)) > 0);
	}
	zone_free(zone);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct zone_rule rule;
	char text[257];
	size_t len = size < sizeof(text) ? size : sizeof(text) - 1;
	zone((struct bytes){ data, size });
	memcpy(text, size > 0 ? (const char *)data : "", len);
	text[len] = '\0';
	for (size_t i = 0; zone_rule_parse(text, &rule) == 0 && i < sizeof(instants) / sizeof(instants[0]); i++)
		(void)zone_rule_offset(&rule, instants[i]);
	return 0;
}

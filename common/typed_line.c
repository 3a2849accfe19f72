/* Names of what a typed line may be. See typed_line.h. */
#include "common/typed_line.h"

const char *line_confidence_name(enum line_confidence confidence)
{
	static const char *const names[] = { "exact", "screen", "blind" };

	return names[confidence];
}

const char *line_end_name(enum line_end end)
{
	static const char *const names[] = { "forwarded", "cleared", "stuck", "swallowed",
		"cancelled", "hidden" };

	return names[end];
}

const char *line_source_name(enum line_source source)
{
	static const char *const names[] = { "screen", "cursor", "anchor", "keys" };

	return names[source];
}

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

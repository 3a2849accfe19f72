/* What every fuzzer has: the function that is called with each input, and what must hold for any of
 * them. */
#ifndef BARTIZAN_FUZZ_H
#define BARTIZAN_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(fact)            \
	do {                     \
		if (!(fact))     \
			abort(); \
	} while (0)

#endif

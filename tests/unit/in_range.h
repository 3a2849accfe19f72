/* assert_uint_in_range for the cmocka before 2.0 (Debian 12 and 13), which has it under another
 * name; 2.0 warns of that one. */
#ifndef BARTIZAN_TEST_IN_RANGE_H
#define BARTIZAN_TEST_IN_RANGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#ifndef assert_uint_in_range
#define assert_uint_in_range assert_in_range
#endif

#endif

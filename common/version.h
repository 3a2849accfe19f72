/* The version of both programs; packaging/VERSION says the same (a unit test compares them). */
#ifndef BARTIZAN_VERSION_H
#define BARTIZAN_VERSION_H

#ifndef BARTIZAN_VERSION
#define BARTIZAN_VERSION "0.1.0"
#endif

#endif

/* The version of both programs and of the package (packaging/deb.sh reads it here). */
#ifndef BARTIZAN_VERSION_H
#define BARTIZAN_VERSION_H

#ifndef BARTIZAN_VERSION
#define BARTIZAN_VERSION "0.1.0"
#endif

#endif

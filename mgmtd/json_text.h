/* How JSON is written: without spaces, and 0.1 as 0.1, not as the 17 digits of the nearest double. */
#ifndef MGMTD_JSON_TEXT_H
#define MGMTD_JSON_TEXT_H

#include <jansson.h>

#define JSON_TEXT (JSON_COMPACT | JSON_REAL_PRECISION(15))

#endif

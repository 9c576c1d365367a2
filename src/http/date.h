/* Dates as HTTP writes them (RFC 9110 section 5.6.7). Seconds since 1970-01-01T00:00:00Z. */
#ifndef HTTP_DATE_H
#define HTTP_DATE_H

#include "base/span.h"

#define DATE_LENGTH 29 /* "Sun, 06 Nov 1994 08:49:37 GMT" */

/* Writes an IMF-fixdate without a NUL. Years 1 to 9999; others are cut to that range. */
void date_format(int64_t seconds, char text[DATE_LENGTH]);

/* Reads an IMF-fixdate or one of the obsolete forms (rfc850-date, asctime-date). `now` settles the
 * century of a two-digit year: more than 50 years ahead means the past. Returns 0, or
 * HERALD_ERROR_INVALID for anything else, impossible days and wrong case included; the day's name
 * is not compared with the date. */
int date_parse(struct span text, int64_t now, int64_t *seconds);

#endif

/* HTTP/2 (RFC 9113), both roles, as an engine of http/conn.h: bytes in, exchanges, bytes out. No
 * I/O, no clock, no randomness. */
#ifndef H2_H2_H
#define H2_H2_H

#include "http/conn.h"

/* ALPN "h2"; also cleartext by prior knowledge. */
extern const struct engine h2_engine;

/* The client's first bytes (section 3.4), by which a cleartext listener knows HTTP/2. */
#define H2_PREFACE        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define H2_PREFACE_LENGTH 24

#endif

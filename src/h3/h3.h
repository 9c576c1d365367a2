/* HTTP/3 (RFC 9114) over QUIC (RFC 9000): our engine around ngtcp2 and nghttp3, without sockets,
 * clock or randomness of its own. */
#ifndef H3_H3_H
#define H3_H3_H

#include "http/endpoint.h"

/* `create` is NULL in a build without QUIC. */
extern const struct datagram_engine h3_engine;

#endif

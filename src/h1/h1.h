/* HTTP/1.1 (RFC 9112), both roles, as an engine for http/conn.h.
 *
 * What a host must know beyond http/conn.h:
 *  - recv takes any amount, but what cannot be parsed yet (a pipelined request behind a running
 * one) is held, at most H1_INPUT_MAXIMUM bytes: obey wants_read and bring at most 64 KiB a call.
 *  - A request that breaks the protocol is answered by the engine (400, 408, 414, 417, 431, 501,
 * 505) and recv or expire returns a negative code: pull until 0 bytes come, then close.
 *  - `finished` tells the orderly end (Connection: close, shutdown, timeout of an idle connection).
 *  - Client: one request at a time; request returns HERALD_ERROR_LIMIT while one runs. host->ready
 * is called when the connection has become free again, host->going_away when it never will. */
#ifndef H1_H1_H
#define H1_H1_H

#include "http/conn.h"

#define H1_INPUT_MAXIMUM ((size_t)1 << 20)

extern const struct engine h1_engine;

#endif

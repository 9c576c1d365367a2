/* A reverse proxy as a handler: every exchange becomes a request to one upstream over kept-alive
 * HTTP/1.1 connections, both bodies streamed with at most the exchange's buffers in between.
 *
 * What changes on the way: fields of the hop go (Connection and what it names, TE but for
 * "trailers", Upgrade, Expect, Proxy-*, Alt-Svc of the response), so do names with an underscore,
 * which some upstreams cannot tell from the same name with a hyphen, and Forwarded and
 * X-Forwarded-* of clients that are not trusted. X-Forwarded-For, -Proto, -Host and Via are added;
 * Host stays the client's. 1xx responses, trailers and preload links (see push_policy.h) go on to
 * the client.
 *
 * 502 when the upstream cannot be reached, breaks off or breaks the protocol before its head, 504
 * when it is too slow, 503 when too many requests wait for it, 508 for a request that has passed
 * PROXY_VIA_MAXIMUM proxies, 405 for CONNECT and TRACE. After the head the response is aborted so
 * that the client sees it. A client that leaves aborts the upstream's request. */
#ifndef SERVER_PROXY_H
#define SERVER_PROXY_H

#include "http/conn.h"
#include "http/handler.h"

struct loop;

#define PROXY_VIA_MAXIMUM 16

struct proxy_options {
    struct loop *loop;           /* outlives the handler */
    const char *upstream;        /* "http://host:port" or "https://host:port/path"; copied */
    const struct engine *engine; /* HTTP/1.1; outlives the loop */
    const struct limits *limits; /* outlive the loop */
    struct span prefix;          /* taken off the request's path; outlives the handler */
    herald_time connect_timeout; /* until a connection is there */
    herald_time read_timeout;    /* without a byte from the upstream while we wait for it */
    const char *ca_file;         /* who may sign an https upstream, beside the system; or NULL */
    bool insecure;               /* do not verify an https upstream */
    bool trust_forwarded;        /* clients are proxies of ours: keep their X-Forwarded-* */
    uint64_t seed;
};

/* Nothing is connected yet. Returns 0 and a handler (destroyed by handler->destroy),
 * HERALD_ERROR_INVALID (not a URL of http or https), HERALD_ERROR_TLS or HERALD_ERROR_IO (the CA
 * file; one line has been logged), HERALD_ERROR_NOMEM. */
int proxy_create(const struct proxy_options *options, struct handler **handler);

#endif

/* Herald as a library: an HTTP/1.1 and HTTP/2 server whose answers come from C functions.
 *
 *     static void hello(herald_exchange *exchange, void *user)
 *     {
 *         herald_exchange_reply(exchange, 200, "text/plain", "hello\n", 6);
 *     }
 *
 *     herald_server *server = herald_server_new();
 *     herald_server_handle(server, "", hello, NULL);
 *     herald_server_listen(server, "127.0.0.1:8443");
 *     int result = herald_server_run(server);
 *     herald_server_free(server);
 *
 * Functions that can fail return 0 or a negative code of herald_error.h. A server and its exchanges
 * belong to the thread that runs it; only herald_server_stop may be called from another one.
 * Handlers must not block: an answer may be given later, from an event. No signal is handled or
 * ignored by the library.
 */
#ifndef HERALD_H
#define HERALD_H

#include "herald_error.h"
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HERALD_API __attribute__((visibility("default")))

typedef struct herald_server herald_server;
typedef struct herald_exchange herald_exchange;

/* Bytes owned by somebody else, not NUL-terminated; for printf's "%.*s". */
typedef struct herald_text {
    const char *data;
    size_t length;
} herald_text;

/* A header field. Names in any case; both NUL-terminated and copied by every call that takes them.
 */
typedef struct herald_field {
    const char *name, *value;
} herald_field;

/* A request has arrived. The handler owns `exchange` until it calls exactly one of
 * herald_exchange_reply, herald_exchange_finish and herald_exchange_abort, now or later. */
typedef void herald_handler(herald_exchange *exchange, void *user);

/* ---- server ---- */

/* NULL when memory is out. */
HERALD_API herald_server *herald_server_new(void);

/* Cuts what is open and frees; not from within a handler. NULL is allowed. */
HERALD_API void herald_server_free(herald_server *server);

/* One setting, by its key in a configuration file of `herald serve` ("certfile", "accesslog",
 * "h2_max_concurrent_streams", ...); lists grow with each call. Before the start. Returns
 * HERALD_ERROR_NOT_FOUND for an unknown key, HERALD_ERROR_INVALID for a value it cannot have,
 * HERALD_ERROR_UNSUPPORTED for `workers` (one server is one thread), HERALD_ERROR_STATE after the
 * start, HERALD_ERROR_NOMEM. */
HERALD_API int herald_server_set(herald_server *server, const char *key, const char *value);

/* `handler` answers what lies under `prefix` ("" for everything, "/name": whole segments; the
 * longest one wins). Before the start. Returns HERALD_ERROR_INVALID for a prefix that does not
 * begin with a slash or ends with one, HERALD_ERROR_STATE (taken, or started), HERALD_ERROR_LIMIT,
 * HERALD_ERROR_NOMEM. */
HERALD_API int herald_server_handle(herald_server *server, const char *prefix,
                                    herald_handler *handler, void *user);

/* The same with the files of a folder. Also HERALD_ERROR_NOT_FOUND and HERALD_ERROR_IO. */
HERALD_API int herald_server_folder(herald_server *server, const char *prefix, const char *folder);

/* An address to serve on over TLS: "host:port" (port 0: any free one), "[::1]:port", "unix:/path",
 * "fd://N". Without a "certfile" a development certificate is made. Before the start. */
HERALD_API int herald_server_listen(herald_server *server, const char *address);

/* The same in cleartext: HTTP/1.1, and HTTP/2 by prior knowledge. */
HERALD_API int herald_server_listen_cleartext(herald_server *server, const char *address);

/* Opens the sockets; nothing is served before herald_server_run. Optional, run does it. One line
 * says on standard error why it failed; run then returns the same code. */
HERALD_API int herald_server_start(herald_server *server);

/* "https://127.0.0.1:8443"; NULL past the last and before the start. */
HERALD_API const char *herald_server_address(const herald_server *server, size_t index);

/* Serves until herald_server_stop. Returns 0 then. */
HERALD_API int herald_server_run(herald_server *server);

/* Lets running exchanges finish (at most `graceful_timeout` seconds); herald_server_run then
 * returns. From any thread, any number of times, also before run. */
HERALD_API void herald_server_stop(herald_server *server);

/* ---- the request ---- */

/* Texts live until the exchange is given back. */
HERALD_API herald_text herald_exchange_method(const herald_exchange *exchange);
HERALD_API herald_text herald_exchange_scheme(const herald_exchange *exchange);
HERALD_API herald_text herald_exchange_authority(const herald_exchange *exchange);
HERALD_API herald_text herald_exchange_path(const herald_exchange *exchange); /* with its query */

/* 10, 11, 20 */
HERALD_API int herald_exchange_version(const herald_exchange *exchange);

/* The value of the first field of that name (lower case), data NULL when absent. */
HERALD_API herald_text herald_exchange_field(const herald_exchange *exchange, const char *name);

/* Whether the request is a promise of ours, not a request of the client. */
HERALD_API int herald_exchange_is_pushed(const herald_exchange *exchange);

/* Takes at most `capacity` bytes of the body that have arrived. 0: none now; see `readable`. */
HERALD_API size_t herald_exchange_read(herald_exchange *exchange, void *buffer, size_t capacity);

/* 1 when all of the body has been read. */
HERALD_API int herald_exchange_at_end(const herald_exchange *exchange);

typedef struct herald_events {
    /* Body bytes, or the end, can be read; read until herald_exchange_read returns 0. */
    void (*readable)(herald_exchange *exchange, void *user);
    /* After herald_exchange_can_write said no: there is room again. */
    void (*writable)(herald_exchange *exchange, void *user);
    /* The client has gone or has lost interest. Stop the work and call herald_exchange_abort. */
    void (*closed)(herald_exchange *exchange, void *user);
} herald_events;

/* `events` is kept by pointer, members may be NULL. Calls `user` from now on instead of the
 * handler's. */
HERALD_API void herald_exchange_listen(herald_exchange *exchange, const herald_events *events,
                                       void *user);

/* ---- the response, in this order: any number of inform and push, respond, write, finish ---- */

/* An interim response, 102 to 199 without 101; 103 with "link" fields are early hints. Returns
 * HERALD_ERROR_UNSUPPORTED for HTTP/1.0, HERALD_ERROR_STATE after respond, HERALD_ERROR_INVALID,
 * HERALD_ERROR_LIMIT, HERALD_ERROR_CLOSED, HERALD_ERROR_NOMEM. */
HERALD_API int herald_exchange_inform(herald_exchange *exchange, unsigned status,
                                      const herald_field *fields, size_t count);

/* Promises the response to GET `path` on this server, which answers it by the handler for that
 * path. Also allowed between writes. Returns 0; HERALD_ERROR_UNSUPPORTED when the client takes no
 * pushes; HERALD_ERROR_LIMIT (too many at once); HERALD_ERROR_INVALID; HERALD_ERROR_STATE;
 * HERALD_ERROR_CLOSED; HERALD_ERROR_NOMEM. */
HERALD_API int herald_exchange_push(herald_exchange *exchange, const char *path,
                                    const herald_field *fields, size_t count);

/* The head of the final response. A "content-length" among the fields is checked against what is
 * written. HERALD_ERROR_INVALID for a bad status or field; nothing has been sent then. */
HERALD_API int herald_exchange_respond(herald_exchange *exchange, unsigned status,
                                       const herald_field *fields, size_t count);

/* Copies `length` bytes to the body. Takes all of them: ask herald_exchange_can_write before. */
HERALD_API int herald_exchange_write(herald_exchange *exchange, const void *data, size_t length);

/* 1 while little is waiting to be sent; after 0 `writable` will be called. */
HERALD_API int herald_exchange_can_write(herald_exchange *exchange);

/* Ends the body and gives the exchange back: the pointer is dead. A response that is not complete
 * (no respond, less than "content-length") is aborted. */
HERALD_API void herald_exchange_finish(herald_exchange *exchange);

/* respond, write and finish in one call. `content_type` may be NULL. The exchange is given back
 * whatever is returned. */
HERALD_API int herald_exchange_reply(herald_exchange *exchange, unsigned status,
                                     const char *content_type, const void *body, size_t length);

/* Ends the exchange so that the client cannot take it for complete, and gives it back. */
HERALD_API void herald_exchange_abort(herald_exchange *exchange);

#ifdef __cplusplus
}
#endif

#endif

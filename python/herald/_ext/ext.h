/* Shared by the files of the extension module: the interned names, and the few objects looked up
 * once at import. Everything here runs with the GIL held, in the thread of the event loop, unless
 * it says otherwise. */
#ifndef HERALD_EXT_H
#define HERALD_EXT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "http/exchange.h"

/* X-macro of the interned strings: C name, text. */
#define EXT_NAMES(X)                                                                               \
    X(add_done_callback, "add_done_callback")                                                      \
    X(asgi, "asgi")                                                                                \
    X(await_method, "__await__")                                                                   \
    X(body, "body")                                                                                \
    X(cancelled, "cancelled")                                                                      \
    X(cipher_suite, "cipher_suite")                                                                \
    X(client, "client")                                                                            \
    X(client_cert_chain, "client_cert_chain")                                                      \
    X(client_cert_error, "client_cert_error")                                                      \
    X(client_cert_name, "client_cert_name")                                                        \
    X(create_future, "create_future")                                                              \
    X(create_task, "create_task")                                                                  \
    X(done, "done")                                                                                \
    X(eager_start, "eager_start")                                                                  \
    X(exception, "exception")                                                                      \
    X(extensions, "extensions")                                                                    \
    X(headers, "headers")                                                                          \
    X(http, "http")                                                                                \
    X(http_1_0, "1.0")                                                                             \
    X(http_1_1, "1.1")                                                                             \
    X(http_2, "2")                                                                                 \
    X(http_3, "3")                                                                                 \
    X(http_disconnect, "http.disconnect")                                                          \
    X(http_request, "http.request")                                                                \
    X(http_response_body, "http.response.body")                                                    \
    X(http_response_early_hint, "http.response.early_hint")                                        \
    X(http_response_informational, "http.response.informational")                                  \
    X(http_response_pathsend, "http.response.pathsend")                                            \
    X(http_response_push, "http.response.push")                                                    \
    X(http_response_start, "http.response.start")                                                  \
    X(http_response_trailers, "http.response.trailers")                                            \
    X(http_version, "http_version")                                                                \
    X(links, "links")                                                                              \
    X(loop, "loop")                                                                                \
    X(method, "method")                                                                            \
    X(more_body, "more_body")                                                                      \
    X(more_trailers, "more_trailers")                                                              \
    X(path, "path")                                                                                \
    X(query_string, "query_string")                                                                \
    X(raw_path, "raw_path")                                                                        \
    X(receive, "receive")                                                                          \
    X(root_path, "root_path")                                                                      \
    X(scheme, "scheme")                                                                            \
    X(send, "send")                                                                                \
    X(server, "server")                                                                            \
    X(server_cert, "server_cert")                                                                  \
    X(set_result, "set_result")                                                                    \
    X(state, "state")                                                                              \
    X(status, "status")                                                                            \
    X(tls, "tls")                                                                                  \
    X(tls_version, "tls_version")                                                                  \
    X(trailers, "trailers")                                                                        \
    X(type, "type")

struct ext_names {
#define X(name, text) PyObject *name;
    EXT_NAMES(X)
#undef X
};

extern struct ext_names ext_names;

/* herald.ClientDisconnected, an OSError: what send() raises when the peer has gone (ASGI spec 2.4).
 */
extern PyObject *ext_client_disconnected;

/* Each adds its type or data to the module, or leaves an exception and returns -1. */
int ext_names_init(void);
int asgi_step_init(PyObject *module);
int asgi_exchange_init(PyObject *module);
int asgi_scope_init(PyObject *module);
int server_object_init(PyObject *module);
int wsgi_job_init(PyObject *module);

/* A certificate as PEM text, or NULL with an exception. */
PyObject *ext_pem(struct span der);

/* The subject's distinguished name as RFC 4514 text, None where it cannot be read, or NULL with an
 * exception. */
PyObject *ext_subject_name(struct span der);

/* Prints the exception that is set through the logger "herald.error" and clears it. */
void ext_report_exception(const char *doing);

#endif

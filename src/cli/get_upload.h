/* A file, or standard input, as the body of a request: read when the transport has room. */
#ifndef CLI_GET_UPLOAD_H
#define CLI_GET_UPLOAD_H

#include "http/body.h"
#include "net/loop.h"

struct exchange;
struct get_upload;

/* Opens `path` ("-": standard input). `*length` is the size of a regular file, else
 * CONTENT_LENGTH_UNKNOWN. Returns 0 or an exit code; reported. */
int get_upload_open(struct get_upload **upload, struct loop *loop, const char *path,
                    uint64_t *length);

/* The body source; give it to exchange_write_source, and tell the exchange, which is woken when a
 * pipe has bytes again. The source owns the upload. */
struct body_source *get_upload_source(struct get_upload *upload);
void get_upload_attach(struct get_upload *upload, struct exchange *exchange);

/* An upload that has not been given to an exchange. */
void get_upload_close(struct get_upload *upload);

#endif

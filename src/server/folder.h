/* A folder as a handler: GET and HEAD of regular files below a root, and of nothing else.
 *
 * ETag is strong (inode, size, modification time in nanoseconds), Last-Modified, conditional
 * requests (RFC 9110 section 13), single ranges (section 14; several ranges get the whole file).
 * "/a" that is a folder redirects to "/a/", which answers its index.html. 404 for what is not there
 * or may not be named, 403 for what may not be read and for special files, 405 with Allow for other
 * methods. A file that shrinks while it is sent aborts the response. */
#ifndef SERVER_FOLDER_H
#define SERVER_FOLDER_H

#include "http/handler.h"

struct folder_options {
    const char *root;   /* path of the folder */
    const char *index;  /* NULL: "index.html" */
    struct span prefix; /* taken off the request's path first ("" or "/static"); must outlive it */
    bool dotfiles;      /* serve names that begin with a dot (default no: 404) */
};

/* Opens the root. Returns 0 and a handler (destroyed by handler->destroy), HERALD_ERROR_NOT_FOUND
 * (no such folder), HERALD_ERROR_INVALID (not a folder), HERALD_ERROR_IO (errno says why), or
 * HERALD_ERROR_NOMEM. */
int folder_create(const struct folder_options *options, struct handler **folder);

/* Answers `exchange` with one file below an already opened folder or working directory, as
 * http.response.pathsend needs it: `path` is the application's, not the client's, so it may be
 * absolute. Status, fields and length are given by the caller beforehand; this sends the body.
 * Returns 0, HERALD_ERROR_NOT_FOUND, HERALD_ERROR_IO, HERALD_ERROR_NOMEM or what exchange_write
 * returns; nothing has been sent on error. */
int folder_send_path(struct exchange *exchange, const char *path);

#endif

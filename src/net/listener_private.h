/* What listener.c and listener_bind.c share. */
#ifndef NET_LISTENER_PRIVATE_H
#define NET_LISTENER_PRIVATE_H

#include "net/listener.h"

#define LISTENER_BACKLOG   4096
#define LISTENER_NAME_SIZE 160

/* Formats into `error` (may be NULL), keeps errno, returns `code`. */
int listener_fail(struct listener_error *error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif

/* The one set of error codes, public and internal. A function that can fail returns a negative code
 * from this list; 0 and positive values are success. */
#ifndef HERALD_ERROR_H
#define HERALD_ERROR_H

enum herald_error {
    HERALD_OK = 0,
    HERALD_ERROR_NOMEM = -1, /* an allocation failed; the object named by the call is unchanged */
    HERALD_ERROR_INVALID =
        -2, /* an argument breaks the function's contract or the protocol's syntax */
    HERALD_ERROR_STATE = -3,    /* the call is not legal in the object's present state */
    HERALD_ERROR_LIMIT = -4,    /* a stated maximum would be exceeded */
    HERALD_ERROR_AGAIN = -5,    /* nothing to do now; an event will say when */
    HERALD_ERROR_PROTOCOL = -6, /* the peer broke the protocol; the connection is over */
    HERALD_ERROR_MALFORMED =
        -7, /* the peer sent a malformed message (RFC 9113 8.1.1); one exchange is over */
    HERALD_ERROR_COMPRESSION = -8, /* a field block could not be decoded; the connection is over */
    HERALD_ERROR_CLOSED = -9,      /* the peer or the connection is gone */
    HERALD_ERROR_REFUSED = -10,    /* provably not processed by the peer: safe to try again */
    HERALD_ERROR_CANCELLED = -11,  /* ended by a cancel from either side */
    HERALD_ERROR_TIMEOUT = -12,    /* a deadline passed */
    HERALD_ERROR_IO =
        -13, /* the operating system reported an error; errno or a log line has more */
    HERALD_ERROR_TLS = -14,     /* handshake, certificate or record failure */
    HERALD_ERROR_RESOLVE = -15, /* a host name could not be resolved */
    HERALD_ERROR_UNSUPPORTED =
        -16,                      /* the peer or this build does not do that (push disabled, ...) */
    HERALD_ERROR_NOT_FOUND = -17, /* no such thing */
    HERALD_ERROR_CONFIG = -18,  /* an option or configuration value was refused; already reported */
    HERALD_ERROR_INTERNAL = -19 /* an invariant of ours failed; never caused by a peer */
};

/* A constant lower-case phrase for `code` ("out of memory"); "unknown error" for others. Never
 * NULL. */
__attribute__((visibility("default"))) const char *herald_error_text(int code);

#endif

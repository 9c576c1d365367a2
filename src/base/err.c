#include "base/err.h"

/* By the code's absolute value. */
static const char *const texts[] = {
    [-HERALD_OK] = "success",
    [-HERALD_ERROR_NOMEM] = "out of memory",
    [-HERALD_ERROR_INVALID] = "invalid argument or syntax",
    [-HERALD_ERROR_STATE] = "not possible in this state",
    [-HERALD_ERROR_LIMIT] = "limit exceeded",
    [-HERALD_ERROR_AGAIN] = "nothing to do yet",
    [-HERALD_ERROR_PROTOCOL] = "protocol error by the peer",
    [-HERALD_ERROR_MALFORMED] = "malformed message from the peer",
    [-HERALD_ERROR_COMPRESSION] = "field compression error",
    [-HERALD_ERROR_CLOSED] = "connection closed",
    [-HERALD_ERROR_REFUSED] = "refused before processing",
    [-HERALD_ERROR_CANCELLED] = "cancelled",
    [-HERALD_ERROR_TIMEOUT] = "timed out",
    [-HERALD_ERROR_IO] = "input or output error",
    [-HERALD_ERROR_TLS] = "TLS failure",
    [-HERALD_ERROR_RESOLVE] = "host name not resolved",
    [-HERALD_ERROR_UNSUPPORTED] = "not supported",
    [-HERALD_ERROR_NOT_FOUND] = "not found",
    [-HERALD_ERROR_CONFIG] = "configuration refused",
    [-HERALD_ERROR_INTERNAL] = "internal error",
};

const char *herald_error_text(int code)
{
    if (code > 0 || code <= -(int)(sizeof(texts) / sizeof(texts[0])))
        return "unknown error";
    return texts[-code];
}

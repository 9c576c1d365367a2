#include "base/err.h"

const char *herald_error_text(int code)
{
    switch (code) {
    case HERALD_OK:
        return "success";
    case HERALD_ERROR_NOMEM:
        return "out of memory";
    case HERALD_ERROR_INVALID:
        return "invalid argument or syntax";
    case HERALD_ERROR_STATE:
        return "not possible in this state";
    case HERALD_ERROR_LIMIT:
        return "limit exceeded";
    case HERALD_ERROR_AGAIN:
        return "nothing to do yet";
    case HERALD_ERROR_PROTOCOL:
        return "protocol error by the peer";
    case HERALD_ERROR_MALFORMED:
        return "malformed message from the peer";
    case HERALD_ERROR_COMPRESSION:
        return "field compression error";
    case HERALD_ERROR_CLOSED:
        return "connection closed";
    case HERALD_ERROR_REFUSED:
        return "refused before processing";
    case HERALD_ERROR_CANCELLED:
        return "cancelled";
    case HERALD_ERROR_TIMEOUT:
        return "timed out";
    case HERALD_ERROR_IO:
        return "input or output error";
    case HERALD_ERROR_TLS:
        return "TLS failure";
    case HERALD_ERROR_RESOLVE:
        return "host name not resolved";
    case HERALD_ERROR_UNSUPPORTED:
        return "not supported";
    case HERALD_ERROR_NOT_FOUND:
        return "not found";
    case HERALD_ERROR_CONFIG:
        return "configuration refused";
    case HERALD_ERROR_INTERNAL:
        return "internal error";
    default:
        return "unknown error";
    }
}

#include "net/tls_session_private.h"

#include "base/err.h"

#define EMPTY_MAXIMUM     64   /* records without content; one is forgiven for each ... */
#define EMPTY_FORGIVENESS 4096 /* ... bytes of content */

static void save_session(struct tls_session *session)
{
    gnutls_datum_t data = {0};

    session->ticket_came = false;
    if (!session->context->no_resumption && gnutls_session_get_data2(session->session, &data) == 0)
        tls_client_remember(session->context, session->key, data);
}

static void count_content(struct tls_session *session, size_t length)
{
    session->empty_records -= session->empty_records > 0;
    session->content += length;
    uint64_t forgiven = session->content / EMPTY_FORGIVENESS;
    session->content %= EMPTY_FORGIVENESS;
    session->empty_records -=
        forgiven < session->empty_records ? (unsigned)forgiven : session->empty_records;
}

/* The input is used up: is it time to wait for more, or has there been too little in it? */
static int end_of_input(struct tls_session *session)
{
    if (session->empty_records <= EMPTY_MAXIMUM)
        return HERALD_ERROR_AGAIN;
    gnutls_alert_send(session->session, GNUTLS_AL_FATAL, GNUTLS_A_UNEXPECTED_MESSAGE);
    return tls_session_fail(session, HERALD_ERROR_LIMIT, "too many TLS records without content");
}

int64_t tls_session_read(struct tls_session *session, uint8_t *plain, size_t capacity)
{
    if (session->ticket_came)
        save_session(session);
    /* Asking GnuTLS only to hear that there is nothing costs as much as a small record. */
    while (session->input.length > 0 || gnutls_record_check_pending(session->session) > 0) {
        size_t before = session->input.length;
        ssize_t count = gnutls_record_recv(session->session, plain, capacity);
        if (session->ticket_came)
            save_session(session);
        if (count > 0) {
            count_content(session, (size_t)count);
            return count;
        }
        if (count == 0)
            return HERALD_ERROR_CLOSED;
        if (count == GNUTLS_E_AGAIN || count == GNUTLS_E_INTERRUPTED) {
            /* GnuTLS also stops here after a record without content. */
            if (session->empty_records > EMPTY_MAXIMUM || session->input.length == before)
                break;
            continue;
        }
        if (count == GNUTLS_E_REHANDSHAKE) {
            gnutls_alert_send(session->session, GNUTLS_AL_WARNING, GNUTLS_A_NO_RENEGOTIATION);
            return tls_session_fail(session, HERALD_ERROR_TLS, "the peer asked for renegotiation");
        }
        if (gnutls_error_is_fatal((int)count))
            return tls_session_fatal(session, (int)count);
        int code = tls_session_count_warning(session);
        if (code != 0)
            return code;
    }
    return end_of_input(session);
}

int tls_session_write(struct tls_session *session, struct span data, size_t record)
{
    while (data.length > 0) {
        size_t length = data.length < record ? data.length : record;
        if (session->sink->capacity - session->sink->length < length + TLS_RECORD_OVERHEAD)
            return tls_session_fail(session, HERALD_ERROR_LIMIT, "TLS: no room for a record");
        ssize_t count = gnutls_record_send(session->session, data.data, length);
        if (count <= 0)
            return count == GNUTLS_E_AGAIN
                       ? tls_session_fail(session, HERALD_ERROR_LIMIT, "TLS: no room for a record")
                       : tls_session_failure(session, (int)count);
        data = span_slice(data, (size_t)count, data.length);
    }
    return 0;
}

void tls_session_goodbye(struct tls_session *session)
{
    gnutls_bye(session->session, GNUTLS_SHUT_WR);
}

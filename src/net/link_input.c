#include "net/link_private.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#define TLS_ALERT_RECORD     0x15
#define TLS_HANDSHAKE_RECORD 0x16

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
_Static_assert(sizeof(preface) - 1 == LINK_PREFACE_SIZE, "RFC 9113 section 3.4");

static void deliver(struct link *link, struct span data)
{
    struct conn_in in = {.data = data};

    if (link->state != LINK_RUNNING || link->conn == NULL || data.length == 0)
        return;
    int code = link->conn->ops->recv(link->conn, &in, link->loop->now);
    if (code < 0)
        link_end(link, code);
    else
        loop_work_add(link->loop, &link->work);
}

static void deliver_end(struct link *link)
{
    if (link->state != LINK_RUNNING || link->conn == NULL)
        return;
    int code = link->conn->ops->eof(link->conn, link->loop->now);
    if (code < 0)
        link_end(link, code);
    else
        loop_work_add(link->loop, &link->work);
}

static void tls_failed(struct link *link, int code)
{
    const char *text = tls_session_error(link->tls);

    if (text[0] != '\0')
        link_set_error(link, "%s", text);
    link_end(link, code == HERALD_ERROR_NOMEM ? code : HERALD_ERROR_TLS);
}

/* Reads all records that the bound input completes, and gives them to the conn at once. */
static void read_records(struct link *link)
{
    uint8_t *plain = link->loop->plain;
    size_t length = 0;
    int64_t count = 0;

    while (link->state == LINK_RUNNING) {
        if (LOOP_PLAIN_SIZE - length < TLS_RECORD_PAYLOAD) {
            deliver(link, span_make(plain, length));
            length = 0;
        }
        count = tls_session_read(link->tls, plain + length, LOOP_PLAIN_SIZE - length);
        if (count < 0)
            break;
        length += (size_t)count;
    }
    deliver(link, span_make(plain, length));
    if (count == HERALD_ERROR_CLOSED) {
        link->input_closed = true;
        deliver_end(link);
    } else if (count < 0 && count != HERALD_ERROR_AGAIN) {
        tls_failed(link, (int)count);
    }
}

static void read_tls(struct link *link, struct span data)
{
    struct tls_sink sink = {.data = link->loop->sealed, .capacity = LOOP_SEALED_SIZE};

    tls_session_bind(link->tls, data, &sink);
    read_records(link);
    tls_session_bind(link->tls, SPAN_EMPTY, NULL);
    link_stage(link, &sink);
}

static void secured(struct link *link)
{
    struct span alpn = tls_session_alpn(link->tls);

    link->secured = true;
    if (link->client != NULL)
        link_client_secured(link->client, link->loop->now);
    if (alpn.length == 0)
        alpn = SPAN_LITERAL("http/1.1");
    if (link_open(link, alpn) == 0)
        read_records(link);
}

/* A server may answer a hello with an alert. */
static bool is_tls(const struct link *link, uint8_t first)
{
    return first == TLS_HANDSHAKE_RECORD || (first == TLS_ALERT_RECORD && link->client != NULL);
}

void link_step_handshake(struct link *link, struct span data)
{
    struct tls_sink sink = {.data = link->loop->sealed, .capacity = LOOP_SEALED_SIZE};

    if (data.length > 0 && link->bytes_in == data.length && !is_tls(link, data.data[0])) {
        link_set_error(link, "the peer does not speak TLS");
        link_close(link, HERALD_ERROR_TLS);
        return;
    }
    tls_session_bind(link->tls, data, &sink);
    int code = tls_session_handshake(link->tls);
    /* A flight larger than the sink goes out in pieces. */
    while (code == HERALD_ERROR_AGAIN && sink.length == sink.capacity) {
        link_stage(link, &sink);
        sink.length = 0;
        code = tls_session_handshake(link->tls);
    }
    if (code == 0)
        secured(link);
    else if (code != HERALD_ERROR_AGAIN)
        tls_failed(link, code);
    tls_session_bind(link->tls, SPAN_EMPTY, NULL);
    link_stage(link, &sink);
}

/* RFC 9113 section 3.3: prior knowledge shows in the first bytes. */
static void detect(struct link *link, struct span data)
{
    struct link_server *server = link->server;
    struct span all = data;

    if (link->sniffed_length > 0) {
        uint8_t *joined = link->loop->plain;
        memcpy(joined, link->sniffed, link->sniffed_length);
        memcpy(joined + link->sniffed_length, data.data, data.length);
        all = span_make(joined, link->sniffed_length + data.length);
    }
    if (all.data[0] == TLS_HANDSHAKE_RECORD) {
        link_set_error(link, "a TLS hello on a cleartext port");
        link_close(link, HERALD_ERROR_PROTOCOL);
        return;
    }
    size_t compared = all.length < LINK_PREFACE_SIZE ? all.length : LINK_PREFACE_SIZE;
    bool is_prefix = memcmp(all.data, preface, compared) == 0;
    bool certain = server->http1_only || server->http2_only || !is_prefix;
    if (!certain && compared < LINK_PREFACE_SIZE) {
        memcpy(link->sniffed, all.data, all.length);
        link->sniffed_length = (uint8_t)all.length;
        return;
    }
    bool http2 = server->http2_only || (is_prefix && !server->http1_only);
    if (link_open(link, http2 ? SPAN_LITERAL("h2") : SPAN_LITERAL("http/1.1")) == 0)
        deliver(link, all);
}

static void end_of_input(struct link *link)
{
    link->input_ended = true;
    loop_work_add(link->loop, &link->work);
    switch (link->state) {
    case LINK_RUNNING:
        if (link->input_closed)
            break;
        /* Without close_notify somebody else may have cut the stream (RFC 9112 section 9.8): a
         * client must not take what it has for complete. */
        if (link->tls != NULL && link->client != NULL) {
            link_set_error(link, "the connection was cut without a TLS close_notify");
            link_end(link, HERALD_ERROR_CLOSED);
        } else {
            deliver_end(link);
        }
        break;
    case LINK_LINGERING:
    case LINK_ENDING:
        break;
    default:
        link_set_error(link, link->tls != NULL ? "the peer closed during the TLS handshake"
                                               : "the peer closed without a request");
        link_close(link, HERALD_ERROR_CLOSED);
    }
}

static void take(struct link *link, struct span data)
{
    switch (link->state) {
    case LINK_HANDSHAKE:
        link_step_handshake(link, data);
        break;
    case LINK_DETECTING:
        detect(link, data);
        break;
    case LINK_RUNNING:
        if (link->tls == NULL)
            deliver(link, data);
        else if (!link->input_closed)
            read_tls(link, data);
        break;
    default: /* dropped, so that the kernel does not answer unread bytes with a reset */
        break;
    }
}

static void read_some(struct link *link)
{
    ssize_t count;

    do {
        count = recv(link->descriptor, link->loop->input, LOOP_INPUT_SIZE, 0);
    } while (count < 0 && errno == EINTR);
    if (count > 0) {
        link->bytes_in += (uint64_t)count;
        take(link, span_make(link->loop->input, (size_t)count));
    } else if (count == 0) {
        end_of_input(link);
    } else if (errno != EAGAIN && errno != EWOULDBLOCK) {
        link_fail(link, errno);
    }
}

/* Priority data is only asked for to hear of errors while nothing else is wanted; it may also be
 * what it says. */
static bool socket_failed(const struct link *link)
{
    struct pollfd poll_one = {.fd = link->descriptor};

    return poll(&poll_one, 1, 0) > 0 && (poll_one.revents & (POLLERR | POLLHUP)) != 0;
}

static void on_socket_error(struct link *link)
{
    int number = 0;
    socklen_t length = sizeof(number);

    link->interest = 0;
    getsockopt(link->descriptor, SOL_SOCKET, SO_ERROR, &number, &length);
    link_fail(link, number != 0 ? number : ECONNRESET);
}

static bool may_read(struct link *link)
{
    if (link->state != LINK_HANDSHAKE)
        return link_wants_input(link);
    if (link->loop->handshakes == 0)
        return false; /* the next turn reports it again */
    link->loop->handshakes--;
    return true;
}

void link_on_poll(uv_poll_t *poll, int status, int events)
{
    struct link *link = poll->data;

    loop_now(link->loop);
    if (link->state == LINK_DEAD || link->close_wanted)
        return;
    if (status < 0) {
        on_socket_error(link);
        return;
    }
    if (events & UV_WRITABLE) {
        link->blocked = false;
        loop_work_add(link->loop, &link->work);
    }
    if ((events & UV_READABLE) && may_read(link))
        read_some(link);
    if ((events & UV_PRIORITIZED) && !(events & UV_READABLE)) {
        link->deaf = true;
        if (socket_failed(link))
            on_socket_error(link);
        loop_work_add(link->loop, &link->work);
    }
}

#include "net/link_private.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#define PULL_MINIMUM  4096
#define SMALL_RECORD  1369        /* fits one segment over Ethernet with IPv6 and options */
#define SMALL_RECORDS (16 * 1024) /* about the first flight of TCP */
#define RECORD_PAUSE  HERALD_SECOND
#define JOIN_MAXIMUM  (16 * 1024) /* unsent bytes copied in front of new ones */
#define BURST_MAXIMUM LOOP_OUTPUT_SIZE

void link_stage(struct link *link, const struct tls_sink *sink)
{
    if (sink->length == 0 || link->state == LINK_DEAD)
        return;
    int code = buf_append(&link->unsent, sink->data, sink->length);
    if (code != 0)
        link_close(link, code);
    loop_work_add(link->loop, &link->work);
}

static void note_blocked(struct link *link)
{
    link->blocked = true;
    link->burst = LINK_BURST_MINIMUM;
}

/* One system call. Returns how much the socket took, or -1 with the link closing. */
static ssize_t send_some(struct link *link, const uint8_t *data, size_t length, herald_time now)
{
    ssize_t count;

    do {
        count = send(link->descriptor, data, length, MSG_NOSIGNAL);
    } while (count < 0 && errno == EINTR);
    if (count < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK) {
            link_fail(link, errno);
            return -1;
        }
        count = 0;
    }
    link->bytes_out += (uint64_t)count;
    link->ramp += count < SMALL_RECORDS ? (uint32_t)count : SMALL_RECORDS;
    if (count > 0) {
        link->written = now;
        if (link->state == LINK_ENDING)
            link->deadline = herald_time_earlier(now + link->linger, link->ending_limit);
    }
    if ((size_t)count < length)
        note_blocked(link);
    return count;
}

/* What was left of an earlier send. Returns false when the socket is full again. */
static bool send_unsent(struct link *link, herald_time now)
{
    struct span unsent = buf_span(&link->unsent);
    ssize_t count = send_some(link, unsent.data, unsent.length, now);

    if (count < 0)
        return false;
    buf_consume(&link->unsent, (size_t)count);
    if (buf_length(&link->unsent) == 0)
        buf_free(&link->unsent);
    return !link->blocked;
}

/* Pulls up to the burst into `target`. Returns the length. */
static size_t pull_all(struct link *link, uint8_t *target, herald_time now)
{
    size_t length = 0;

    link->drained = link->conn == NULL;
    while (link->conn != NULL && link->burst - length >= PULL_MINIMUM) {
        struct conn_out out = {.data = target + length, .capacity = link->burst - length};
        int code = link->conn->ops->pull(link->conn, &out, now);
        length += out.length;
        if (code < 0 && link->state == LINK_RUNNING) {
            link_end(link, code);
        } else if (out.length == 0) {
            link->drained = true;
            break;
        }
    }
    return length;
}

static void seal(struct link *link, struct span data, struct tls_sink *sink, herald_time now)
{
    int code = 0;

    if (now - link->written > RECORD_PAUSE)
        link->ramp = 0;
    tls_session_bind(link->tls, SPAN_EMPTY, sink);
    if (link->ramp < SMALL_RECORDS) {
        struct span early = span_slice(data, 0, SMALL_RECORDS - link->ramp);
        code = tls_session_write(link->tls, early, SMALL_RECORD);
        data = span_slice(data, early.length, data.length);
    }
    if (code == 0)
        code = tls_session_write(link->tls, data, TLS_RECORD_PAYLOAD);
    tls_session_bind(link->tls, SPAN_EMPTY, NULL);
    if (code != 0) {
        link_set_error(link, "%s", tls_session_error(link->tls));
        link_close(link, code == HERALD_ERROR_NOMEM ? code : HERALD_ERROR_TLS);
    }
}

static size_t take_unsent(struct link *link, uint8_t *target)
{
    struct span unsent = buf_span(&link->unsent);

    if (unsent.length > 0)
        memcpy(target, unsent.data, unsent.length);
    buf_free(&link->unsent);
    return unsent.length;
}

static void transmit(struct link *link, const struct tls_sink *sink, herald_time now)
{
    ssize_t count = send_some(link, sink->data, sink->length, now);

    if (count < 0 || (size_t)count == sink->length)
        return;
    int code = buf_append(&link->unsent, sink->data + count, sink->length - (size_t)count);
    if (code != 0)
        link_close(link, code);
}

static bool socket_has_room(const struct link *link)
{
    struct pollfd poll_one = {.fd = link->descriptor, .events = POLLOUT};

    return poll(&poll_one, 1, 0) > 0;
}

/* One pass: one pull of a burst, one system call. */
static void produce(struct link *link, herald_time now)
{
    struct tls_sink sink = {.data = link->loop->output, .capacity = LOOP_OUTPUT_SIZE};

    if (buf_length(&link->unsent) > JOIN_MAXIMUM && !send_unsent(link, now))
        return;
    if (link->tls != NULL)
        sink = (struct tls_sink){.data = link->loop->sealed, .capacity = LOOP_SEALED_SIZE};
    sink.length = take_unsent(link, sink.data);
    if (link->tls != NULL) {
        size_t length = pull_all(link, link->loop->output, now);
        if (length > 0)
            seal(link, span_make(link->loop->output, length), &sink, now);
    } else if (link->conn != NULL) {
        if (link->burst > sink.capacity - sink.length)
            link->burst = (uint32_t)(sink.capacity - sink.length);
        sink.length += pull_all(link, sink.data + sink.length, now);
    } else {
        link->drained = true;
    }
    if (sink.length > 0 && !link->close_wanted)
        transmit(link, &sink, now);
    if (link->drained || link->blocked || link->close_wanted)
        return;
    /* More is waiting. Frames are built only when the socket can take them, so that what becomes
     * urgent meanwhile goes first. */
    if (socket_has_room(link)) {
        link->burst = link->burst * 2 < BURST_MAXIMUM ? link->burst * 2 : BURST_MAXIMUM;
        loop_work_add(link->loop, &link->work);
    } else {
        note_blocked(link);
    }
}

static void say_goodbye(struct link *link, herald_time now)
{
    struct tls_sink sink = {.data = link->loop->sealed, .capacity = LOOP_SEALED_SIZE};

    if (link->said_goodbye)
        return;
    link->said_goodbye = true;
    if (!link->secured)
        return;
    tls_session_bind(link->tls, SPAN_EMPTY, &sink);
    tls_session_goodbye(link->tls);
    tls_session_bind(link->tls, SPAN_EMPTY, NULL);
    transmit(link, &sink, now);
}

static bool has_said_all(const struct link *link)
{
    return link->drained && !link->blocked && buf_length(&link->unsent) == 0;
}

/* The peer learns from the transport that something is missing. */
static void reset(struct link *link)
{
    const struct linger none = {.l_onoff = 1, .l_linger = 0};

    /* Where there are no resets (unix sockets) the end stays as it is. */
    (void)setsockopt(link->descriptor, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    link->said_goodbye = true;
    link_close(link, HERALD_ERROR_CLOSED);
}

/* RFC 9112 section 9.6: closing with unread input makes the kernel send a reset, which can overtake
 * our last bytes at the peer. A client has what it wanted and just goes. */
static void end_output(struct link *link, herald_time now)
{
    struct conn *conn = link->conn;
    bool broken = conn != NULL && conn->broken;

    link->conn = NULL;
    if (conn != NULL)
        conn->ops->destroy(conn);
    if (broken) {
        reset(link);
        return;
    }
    say_goodbye(link, now);
    if (link->close_wanted || buf_length(&link->unsent) > 0)
        return;
    if (link->input_ended || link->client != NULL) {
        link_close(link, link->reason);
        return;
    }
    shutdown(link->descriptor, SHUT_WR);
    link->state = LINK_LINGERING;
    link->deadline = now + link->linger;
}

static void settle(struct link *link, herald_time now)
{
    if (link->state == LINK_RUNNING && link->conn->finished && has_said_all(link))
        link_end(link, 0);
    if (link->state == LINK_ENDING && has_said_all(link))
        end_output(link, now);
    if (link->state == LINK_LINGERING && link->input_ended)
        link_close(link, link->reason);
}

static void watch(struct link *link)
{
    int events = 0;

    if (link_wants_input(link))
        events |= UV_READABLE;
    if (link->blocked)
        events |= UV_WRITABLE;
    /* The kernel tells of errors only while something is asked for. */
    if (events == 0 && !link->deaf)
        events = UV_PRIORITIZED;
    if (events == link->interest)
        return;
    link->interest = events;
    uv_poll_start(&link->poll, events, link_on_poll);
    loop_watch_changed(link->loop);
}

static void set_timer(struct link *link)
{
    herald_time due = link->deadline;

    if (link->state == LINK_RUNNING)
        due = herald_time_earlier(due, link->conn->ops->deadline(link->conn));
    if (loop_timer_set(link->loop, &link->timer, due) != 0)
        link_close(link, HERALD_ERROR_NOMEM);
}

void link_serve(struct loop_work *work, herald_time now)
{
    struct link *link = CONTAINER_OF(work, struct link, work);
    bool connected = link->state != LINK_CONNECTING;

    if (!link->close_wanted && connected && !link->blocked && link->state != LINK_LINGERING)
        produce(link, now);
    if (!link->close_wanted)
        settle(link, now);
    if (!link->close_wanted && connected) {
        watch(link);
        set_timer(link);
    }
    if (!link->close_wanted)
        return;
    if (connected && !link->blocked && buf_length(&link->unsent) == 0)
        say_goodbye(link, now);
    link_finish(link);
}

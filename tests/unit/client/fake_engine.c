#include "client/fake_engine.h"
#include "support/check.h"
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct fake_script fake;

struct fake_conn {
    struct conn base; /* first */
    struct exchange *exchanges[FAKE_EXCHANGES];
    unsigned count, total;
    bool dropped;
};

void fake_reset(void)
{
    fake = (struct fake_script){.streams = 1};
}

static struct fake_conn *fake_of(struct conn *conn)
{
    return (struct fake_conn *)conn;
}

static void forget(struct fake_conn *conn, struct exchange *exchange)
{
    for (unsigned i = 0; i < conn->count; i++) {
        if (conn->exchanges[i] == exchange) {
            conn->exchanges[i] = conn->exchanges[--conn->count];
            return;
        }
    }
}

static void close_exchange(struct fake_conn *conn, struct exchange *exchange, int reason)
{
    forget(conn, exchange);
    exchange_deliver_closed(exchange, reason);
}

/* ---- the exchange's side ---- */

static void on_wake(struct exchange *exchange)
{
    conn_wake(exchange->conn);
}

static void on_consumed(struct exchange *exchange, size_t length)
{
    (void)length;
    conn_wake(exchange->conn);
}

static void on_nothing(struct exchange *exchange)
{
    (void)exchange;
}

static void on_cancel(struct exchange *exchange, int reason)
{
    struct conn *conn = exchange->conn;

    if (exchange->is_pushed)
        fake.promised_refused++;
    else
        fake.cancelled++;
    close_exchange(fake_of(conn), exchange, reason);
    conn_wake(conn);
}

static void on_accept(struct exchange *promised)
{
    fake.promised_accepted++;
    conn_wake(promised->conn);
}

static const struct exchange_ops exchange_ops = {
    .wake = on_wake,
    .consumed = on_consumed,
    .discard = on_nothing,
    .cancel = on_cancel,
    .accept_push = on_accept,
    .released = on_nothing,
};

/* ---- answers ---- */

static void promise(struct fake_conn *conn, struct exchange *exchange)
{
    struct exchange *promised =
        exchange_new(&conn->base, &exchange_ops, NULL, conn->base.limits, &conn->base.account);

    if (promised == NULL)
        return;
    promised->outgoing.method = SPAN_LITERAL("GET");
    promised->outgoing.scheme = exchange->outgoing.scheme;
    promised->outgoing.authority =
        fake.authority != NULL ? span_from_text(fake.authority) : exchange->outgoing.authority;
    promised->outgoing.path = SPAN_LITERAL("/pushed");
    conn->exchanges[conn->count++] = promised;
    if (exchange_deliver_promise(exchange, promised) != 0)
        close_exchange(conn, promised, HERALD_ERROR_REFUSED);
}

static void answer(struct fake_conn *conn, struct exchange *exchange)
{
    struct message interim = {.status = 103, .version = conn->base.version};

    if (!exchange->head_received) {
        if (!exchange->is_pushed && fake.refuse > 0) {
            fake.refuse--;
            close_exchange(conn, exchange, HERALD_ERROR_REFUSED);
            return;
        }
        for (unsigned i = 0; i < fake.inform && !exchange->closed; i++)
            if (exchange_deliver_informational(exchange, &interim) != 0) {
                close_exchange(conn, exchange, HERALD_ERROR_LIMIT);
                return;
            }
        for (unsigned i = 0; i < fake.pushes && !exchange->is_pushed && !exchange->closed; i++)
            promise(conn, exchange);
        if (exchange->closed)
            return;
        exchange->incoming.status = 200;
        exchange_deliver_head(exchange);
    }
    if (!exchange->closed)
        exchange_deliver_body(exchange, SPAN_LITERAL("body"));
    if (exchange->closed || fake.endless)
        return;
    if (exchange_deliver_end(exchange) == 0 && !exchange->closed) {
        exchange->out_complete = true;
        close_exchange(conn, exchange, 0);
    }
}

/* ---- the connection's side ---- */

static int on_recv(struct conn *conn, const struct conn_in *in, herald_time now)
{
    (void)conn;
    (void)in;
    (void)now;
    return 0;
}

static int on_pull(struct conn *base, struct conn_out *out, herald_time now)
{
    struct fake_conn *conn = fake_of(base);
    struct exchange *now_there[FAKE_EXCHANGES];
    unsigned count = conn->count;

    (void)now;
    out->length = 0;
    if (conn->dropped)
        return HERALD_ERROR_CLOSED;
    memcpy(now_there, conn->exchanges, sizeof(now_there));
    for (unsigned i = 0; i < count && !fake.silent; i++)
        /* An answer may have ended the ones behind it. */
        for (unsigned j = 0; j < conn->count; j++)
            if (conn->exchanges[j] == now_there[i]) {
                /* Events may cancel it, which ends the engine's own hold. */
                now_there[i]->holds++;
                answer(conn, now_there[i]);
                exchange_unhold(now_there[i]);
                break;
            }
    if (base->shutting_down && conn->count == 0)
        base->finished = true;
    return 0;
}

static herald_time on_deadline(const struct conn *conn)
{
    (void)conn;
    return HERALD_NEVER;
}

static int on_expire(struct conn *conn, herald_time now)
{
    (void)conn;
    (void)now;
    return 0;
}

static int on_eof(struct conn *conn, herald_time now)
{
    (void)now;
    conn->finished = true;
    return HERALD_ERROR_CLOSED;
}

static void on_shutdown(struct conn *conn, herald_time now)
{
    (void)now;
    fake.shutdowns++;
    conn->shutting_down = true;
    conn_wake(conn);
}

static int on_request(struct conn *base, struct exchange *exchange, herald_time now)
{
    struct fake_conn *conn = fake_of(base);
    size_t length = strlen(fake.order);

    (void)now;
    if (base->shutting_down)
        return HERALD_ERROR_REFUSED;
    if (base->running >= fake.streams || conn->count == FAKE_EXCHANGES)
        return HERALD_ERROR_LIMIT;
    fake.requests++;
    conn->total++;
    snprintf(fake.order + length, sizeof(fake.order) - length, "%.*s#%u ",
             SPAN_ARGUMENTS(exchange->outgoing.path), (unsigned)base->number);
    exchange_attach(exchange, base, &exchange_ops, NULL);
    conn->exchanges[conn->count++] = exchange;
    if (conn->total > 1 && fake.drop_reused > 0) {
        fake.drop_reused--;
        conn->dropped = true;
    }
    conn_wake(base);
    return 0;
}

static void on_destroy(struct conn *base)
{
    struct fake_conn *conn = fake_of(base);

    while (conn->count > 0)
        close_exchange(conn, conn->exchanges[0], HERALD_ERROR_CLOSED);
    conn_detach(base);
    free(conn);
}

static const struct conn_ops conn_ops = {
    .recv = on_recv,
    .pull = on_pull,
    .deadline = on_deadline,
    .expire = on_expire,
    .eof = on_eof,
    .shutdown = on_shutdown,
    .request = on_request,
    .destroy = on_destroy,
};

static struct conn *create(const struct conn_config *config, enum http_version version)
{
    struct fake_conn *conn = calloc(1, sizeof(*conn));

    if (conn == NULL)
        return NULL;
    fake.created++;
    conn_init(&conn->base, &conn_ops, config, version);
    return &conn->base;
}

static struct conn *create_http1(const struct conn_config *config, herald_time now)
{
    (void)now;
    return create(config, HTTP_1_1);
}

static struct conn *create_http2(const struct conn_config *config, herald_time now)
{
    (void)now;
    return create(config, HTTP_2);
}

const struct engine fake_http1 = {"http/1.1", HTTP_1_1, create_http1};
const struct engine fake_http2 = {"h2", HTTP_2, create_http2};

/* ---- the server ---- */

static void on_connection(uv_poll_t *watch, int status, int events)
{
    struct fake_server *server = watch->data;
    int descriptor;

    (void)status;
    (void)events;
    while (server->count < FAKE_SOCKETS &&
           (descriptor = accept4(server->descriptor, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >=
               0)
        server->accepted[server->count++] = descriptor;
}

void fake_server_open(struct fake_server *server, struct loop *loop)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    *server = (struct fake_server){.loop = loop};
    snprintf(server->path, sizeof(server->path), "/tmp/herald-test-%d.sock", (int)getpid());
    unlink(server->path);
    memcpy(address.sun_path, server->path, strlen(server->path) + 1);
    server->descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(server->descriptor >= 0);
    assert_int_equal(bind(server->descriptor, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(server->descriptor, 64), 0);
    server->watch.data = server;
    assert_int_equal(uv_poll_init(loop->uv, &server->watch, server->descriptor), 0);
    assert_int_equal(uv_poll_start(&server->watch, UV_READABLE, on_connection), 0);
}

void fake_server_hang_up(struct fake_server *server)
{
    for (unsigned i = 0; i < server->count; i++)
        close(server->accepted[i]);
    server->count = 0;
}

void fake_server_close(struct fake_server *server)
{
    uv_close((uv_handle_t *)&server->watch, NULL);
    close(server->descriptor);
    unlink(server->path);
    fake_server_hang_up(server);
}

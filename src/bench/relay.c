#include "bench/relay.h"
#include "base/err.h"
#include "base/list.h"
#include "net/address.h"
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#define BACKLOG         1024
#define READ_SIZE       65536
#define QUEUE_HIGH      ((size_t)4 << 20) /* bytes held a direction; then the sender waits */
#define QUEUE_LOW       ((size_t)1 << 20)
#define TICK            HERALD_MILLISECOND
#define DIRECTION_COUNT 2

struct relay {
    struct link_model model;
    struct socket_address target;
    struct link_direction directions[DIRECTION_COUNT]; /* to the server, to the client */
    uv_loop_t loop;
    uv_thread_t thread;
    uv_tcp_t listener;
    uv_async_t stop;
    uint64_t pairs;
    char input[READ_SIZE];
};

/* A segment on its way. Empty: the end of the stream. */
struct segment {
    struct list node;
    herald_time due;
    uv_write_t write;
    size_t length;
    char data[];
};

struct side;

struct pair {
    struct relay *relay;
    struct side {
        struct pair *pair;
        uv_tcp_t socket;
        uv_timer_t timer; /* of what is on its way to this side */
        struct list segments;
        size_t held;
        struct link_flow flow; /* from this side to the other */
        uv_shutdown_t shutdown;
        bool waits;           /* not read: too much is under way from here */
        bool finished;        /* its end of the stream has been said */
    } sides[DIRECTION_COUNT]; /* the client's, the server's */
    uv_connect_t connect;
    unsigned handles;
    bool closing;
};

static struct side *other_side(struct side *side)
{
    return &side->pair->sides[side == &side->pair->sides[0]];
}

/* ---- the end of a pair ---- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct side *side = handle->data;
    struct pair *pair = side->pair;

    if (--pair->handles > 0)
        return;
    for (size_t i = 0; i < DIRECTION_COUNT; i++) {
        LIST_FOR_EACH_SAFE(node, following, &pair->sides[i].segments)
        {
            free(CONTAINER_OF(node, struct segment, node));
        }
    }
    free(pair);
}

static void close_pair(struct pair *pair)
{
    if (pair->closing)
        return;
    pair->closing = true;
    for (size_t i = 0; i < DIRECTION_COUNT; i++) {
        uv_close((uv_handle_t *)&pair->sides[i].socket, on_handle_closed);
        uv_close((uv_handle_t *)&pair->sides[i].timer, on_handle_closed);
    }
}

/* ---- out of the link ---- */

static void schedule(struct side *side);
static void start_reading(struct side *side);

static void on_written(uv_write_t *write, int status)
{
    struct segment *segment = CONTAINER_OF(write, struct segment, write);
    struct side *side = write->data;
    struct side *source = other_side(side);

    side->held -= segment->length;
    free(segment);
    if (status < 0)
        close_pair(side->pair);
    else if (source->waits && side->held < QUEUE_LOW)
        start_reading(source);
}

static void on_shut_down(uv_shutdown_t *shutdown, int status)
{
    struct side *side = shutdown->data;

    (void)status;
    side->finished = true;
    if (other_side(side)->finished)
        close_pair(side->pair);
}

static void deliver(struct side *side, struct segment *segment)
{
    uv_buf_t bytes = uv_buf_init(segment->data, (unsigned)segment->length);

    list_remove(&segment->node);
    if (segment->length == 0) {
        free(segment);
        side->shutdown.data = side;
        if (uv_shutdown(&side->shutdown, (uv_stream_t *)&side->socket, on_shut_down) != 0)
            close_pair(side->pair);
        return;
    }
    segment->write.data = side;
    if (uv_write(&segment->write, (uv_stream_t *)&side->socket, &bytes, 1, on_written) != 0) {
        free(segment);
        close_pair(side->pair);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct side *side = timer->data;
    struct list *node;

    while (!side->pair->closing && (node = list_first(&side->segments)) != NULL) {
        struct segment *segment = CONTAINER_OF(node, struct segment, node);
        if (segment->due > uv_hrtime())
            break;
        deliver(side, segment);
    }
    schedule(side);
}

static void schedule(struct side *side)
{
    struct list *node = list_first(&side->segments);
    herald_time now = uv_hrtime();

    if (node == NULL || side->pair->closing)
        return;
    herald_time due = CONTAINER_OF(node, struct segment, node)->due;
    uv_update_time(&side->pair->relay->loop);
    uv_timer_start(&side->timer, on_timer, due > now ? (due - now + TICK - 1) / TICK : 0, 0);
}

/* ---- into the link ---- */

static int enter(struct side *from, const char *data, size_t length)
{
    struct side *to = other_side(from);
    struct relay *relay = from->pair->relay;
    struct segment *segment = malloc(sizeof(*segment) + length);

    if (segment == NULL)
        return HERALD_ERROR_NOMEM;
    segment->length = length;
    if (length > 0)
        memcpy(segment->data, data, length);
    segment->due = link_flow_send(&relay->model, &relay->directions[from == &from->pair->sides[1]],
                                  &from->flow, length, uv_hrtime());
    to->held += length;
    list_append(&to->segments, &segment->node);
    return 0;
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct side *side = stream->data;
    int result = 0;

    if (count == 0)
        return;
    if (count < 0) {
        uv_read_stop(stream);
        result = count == UV_EOF ? enter(side, NULL, 0) : HERALD_ERROR_CLOSED;
    }
    for (ssize_t done = 0; done < count && result == 0; done += LINK_SEGMENT)
        result = enter(side, buffer->base + done,
                       count - done < LINK_SEGMENT ? (size_t)(count - done) : LINK_SEGMENT);
    if (result != 0) {
        close_pair(side->pair);
        return;
    }
    if (count > 0 && other_side(side)->held > QUEUE_HIGH) {
        side->waits = true;
        uv_read_stop(stream);
    }
    schedule(other_side(side));
}

static void on_alloc(uv_handle_t *handle, size_t wanted, uv_buf_t *buffer)
{
    struct side *side = handle->data;

    (void)wanted;
    *buffer = uv_buf_init(side->pair->relay->input, READ_SIZE);
}

static void start_reading(struct side *side)
{
    side->waits = false;
    if (!side->pair->closing && uv_read_start((uv_stream_t *)&side->socket, on_alloc, on_read) != 0)
        close_pair(side->pair);
}

/* ---- connections ---- */

static void on_connected(uv_connect_t *connect, int status)
{
    struct pair *pair = connect->data;

    if (pair->closing)
        return;
    if (status < 0) {
        close_pair(pair);
        return;
    }
    for (size_t i = 0; i < DIRECTION_COUNT; i++)
        start_reading(&pair->sides[i]);
}

static void init_side(struct pair *pair, size_t index, uint64_t number, herald_time ready)
{
    struct side *side = &pair->sides[index];
    struct relay *relay = pair->relay;

    side->pair = pair;
    list_init(&side->segments);
    uv_tcp_init(&relay->loop, &side->socket);
    uv_timer_init(&relay->loop, &side->timer);
    side->socket.data = side->timer.data = side;
    pair->handles += 2;
    link_flow_init(&relay->model, &side->flow, number, ready);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct relay *relay = listener->data;
    struct pair *pair = status == 0 ? calloc(1, sizeof(*pair)) : NULL;

    if (pair == NULL)
        return;
    pair->relay = relay;
    relay->pairs++;
    for (size_t i = 0; i < DIRECTION_COUNT; i++)
        init_side(pair, i, relay->pairs * DIRECTION_COUNT + i,
                  i == 0 ? uv_hrtime() + relay->model.round_trip : 0);
    if (uv_accept(listener, (uv_stream_t *)&pair->sides[0].socket) != 0) {
        close_pair(pair);
        return;
    }
    pair->connect.data = pair;
    uv_tcp_nodelay(&pair->sides[0].socket, 1);
    uv_tcp_nodelay(&pair->sides[1].socket, 1);
    if (uv_tcp_connect(&pair->connect, &pair->sides[1].socket,
                       (const struct sockaddr *)&relay->target.storage, on_connected) != 0)
        close_pair(pair);
}

/* ---- life ---- */

static void close_handle(uv_handle_t *handle, void *user)
{
    struct relay *relay = user;
    struct side *side;

    if (uv_is_closing(handle))
        return;
    if (handle == (uv_handle_t *)&relay->listener || handle == (uv_handle_t *)&relay->stop) {
        uv_close(handle, NULL);
        return;
    }
    side = handle->data;
    close_pair(side->pair);
}

static void on_stop(uv_async_t *async)
{
    struct relay *relay = async->data;

    uv_walk(&relay->loop, close_handle, relay);
}

static void run(void *argument)
{
    struct relay *relay = argument;

    uv_run(&relay->loop, UV_RUN_DEFAULT);
}

static int listen_on_loopback(struct relay *relay, uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int length = sizeof(address);

    uv_tcp_init(&relay->loop, &relay->listener);
    uv_async_init(&relay->loop, &relay->stop, on_stop);
    relay->listener.data = relay->stop.data = relay;
    if (uv_tcp_bind(&relay->listener, (struct sockaddr *)&address, 0) != 0 ||
        uv_listen((uv_stream_t *)&relay->listener, BACKLOG, on_connection) != 0 ||
        uv_tcp_getsockname(&relay->listener, (struct sockaddr *)&address, &length) != 0)
        return HERALD_ERROR_IO;
    *port = ntohs(address.sin_port);
    return uv_thread_create(&relay->thread, run, relay) == 0 ? 0 : HERALD_ERROR_NOMEM;
}

static int resolve(const char *host, uint16_t port, struct socket_address *result)
{
    struct address address = {.kind = ADDRESS_INET, .port = port};

    snprintf(address.host, sizeof(address.host), "%s", host);
    int count = address_resolve(&address, result, 1);
    return count > 0 ? 0 : HERALD_ERROR_RESOLVE;
}

int relay_start(struct relay **result, const struct link_model *model, const char *host,
                uint16_t target, uint16_t *port)
{
    struct relay *relay = calloc(1, sizeof(*relay));

    if (relay == NULL)
        return HERALD_ERROR_NOMEM;
    relay->model = *model;
    int error = resolve(host, target, &relay->target);
    if (error == 0 && uv_loop_init(&relay->loop) != 0)
        error = HERALD_ERROR_NOMEM;
    if (error != 0) {
        free(relay);
        return error;
    }
    error = listen_on_loopback(relay, port);
    if (error != 0) {
        uv_walk(&relay->loop, close_handle, relay);
        uv_run(&relay->loop, UV_RUN_DEFAULT);
        uv_loop_close(&relay->loop);
        free(relay);
        return error;
    }
    *result = relay;
    return 0;
}

void relay_stop(struct relay *relay)
{
    if (relay == NULL)
        return;
    uv_async_send(&relay->stop);
    uv_thread_join(&relay->thread);
    uv_loop_close(&relay->loop);
    free(relay);
}

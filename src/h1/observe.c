#include "h1/connection.h"

static struct frame_event make_event(const struct h1_connection *connection,
                                     enum frame_direction direction, enum frame_kind kind,
                                     size_t length, herald_time now)
{
    return (struct frame_event){
        .time = now,
        .connection = connection->conn.number,
        .direction = direction,
        .kind = kind,
        .version = HTTP_1_1,
        .stream_id = connection->exchange == NULL ? 0 : connection->exchange->id,
        .length = length,
    };
}

static void tell(const struct h1_connection *connection, const struct frame_event *event)
{
    connection->conn.trace->frame(connection->conn.trace, event);
}

void h1_trace_head(struct h1_connection *connection, enum frame_direction direction,
                   const struct message *message, size_t length, herald_time now)
{
    struct frame_event event;

    if (connection->conn.trace == NULL)
        return;
    event = make_event(connection, direction, FRAME_H1_HEAD, length, now);
    event.head = message;
    tell(connection, &event);
}

void h1_trace_body(struct h1_connection *connection, enum frame_direction direction, size_t length,
                   herald_time now)
{
    struct frame_event event;

    if (connection->conn.trace == NULL)
        return;
    event = make_event(connection, direction, FRAME_H1_BODY, length, now);
    tell(connection, &event);
}

void h1_trace_trailers(struct h1_connection *connection, enum frame_direction direction,
                       const struct fields *trailers, size_t length, herald_time now)
{
    struct frame_event event;

    if (connection->conn.trace == NULL || trailers->count == 0)
        return;
    event = make_event(connection, direction, FRAME_H1_TRAILERS, length, now);
    event.trailers = trailers;
    tell(connection, &event);
}

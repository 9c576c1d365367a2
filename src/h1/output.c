#include "h1/connection.h"

#include "h1/write.h"

void h1_flush_spill(struct h1_connection *connection, struct conn_out *out)
{
    size_t length = buf_length(&connection->spill), room = out->capacity - out->length;

    if (length == 0)
        return;
    if (length > room)
        length = room;
    memcpy(out->data + out->length, buf_span(&connection->spill).data, length);
    out->length += length;
    buf_consume(&connection->spill, length);
    if (buf_length(&connection->spill) == 0)
        buf_free(&connection->spill);
}

uint8_t *h1_reserve(struct h1_connection *connection, struct conn_out *out, size_t length)
{
    if (length <= out->capacity - out->length && buf_length(&connection->spill) == 0)
        return out->data + out->length;
    return buf_reserve(&connection->spill, length, NULL);
}

void h1_commit(struct h1_connection *connection, struct conn_out *out, const uint8_t *start,
               size_t length)
{
    if (start == out->data + out->length)
        out->length += length;
    else
        buf_commit(&connection->spill, length);
}

static int end_output(struct h1_connection *connection, herald_time now)
{
    connection->output_state = H1_OUTPUT_DONE;
    connection->exchange->out_complete = true;
    h1_settle(connection, now);
    return 1;
}

/* Body bytes as they are, for every framing but chunked. */
static int output_plain(struct h1_connection *connection, struct conn_out *out, herald_time now)
{
    struct exchange *exchange = connection->exchange;
    size_t room = out->capacity - out->length;
    bool sized = connection->out_framing == H1_FRAMING_LENGTH, end = false;
    int64_t count;

    if (room == 0)
        return 0;
    if (sized && room > connection->out_left && connection->out_left > 0)
        room = (size_t)connection->out_left;
    count = exchange_body_read(exchange, out->data + out->length, room, &end);
    if (connection->exchange != exchange)
        return 0;
    if (count < 0 || (sized && (uint64_t)count > connection->out_left))
        return count < 0 ? (int)count : HERALD_ERROR_INTERNAL;
    out->length += (size_t)count;
    if (sized)
        connection->out_left -= (uint64_t)count;
    if (count > 0)
        h1_trace_body(connection, FRAME_OUT, (size_t)count, now);
    if (end && sized && connection->out_left > 0)
        return HERALD_ERROR_INTERNAL;
    return end ? end_output(connection, now) : count > 0;
}

/* The last chunk and the trailer section. */
static int output_last_chunk(struct h1_connection *connection, struct conn_out *out,
                             herald_time now)
{
    const struct fields *trailers = &connection->exchange->outgoing_trailers;
    uint8_t *text = h1_reserve(connection, out, 3 + h1_trailers_bound(trailers));
    size_t length;

    if (text == NULL)
        return HERALD_ERROR_NOMEM;
    memcpy(text, "0\r\n", 3);
    length = 3 + h1_write_trailers(text + 3, trailers);
    h1_commit(connection, out, text, length);
    h1_trace_trailers(connection, FRAME_OUT, trailers, length, now);
    return end_output(connection, now);
}

/* One chunk, read straight to its place: the size line is written in front of it for the greatest
 * size possible, and the data moved down when the real size has fewer digits. */
static int output_chunk(struct h1_connection *connection, struct conn_out *out, herald_time now)
{
    struct exchange *exchange = connection->exchange;
    size_t room = out->capacity - out->length, head, digits;
    uint8_t *start = out->data + out->length, line[16];
    bool end = false;
    int64_t count;

    if (room < H1_CHUNK_ROOM)
        return 0;
    head = h1_write_hexadecimal(line, room) + 2;
    count = exchange_body_read(exchange, start + head, room - head - 2, &end);
    if (connection->exchange != exchange)
        return 0;
    if (count < 0)
        return (int)count;
    if (count > 0) {
        digits = h1_write_hexadecimal(start, (uint64_t)count);
        if (digits + 2 < head)
            memmove(start + digits + 2, start + head, (size_t)count);
        memcpy(start + digits, "\r\n", 2);
        memcpy(start + digits + 2 + count, "\r\n", 2);
        out->length += digits + 4 + (size_t)count;
        h1_trace_body(connection, FRAME_OUT, (size_t)count, now);
    }
    return end ? output_last_chunk(connection, out, now) : count > 0;
}

int h1_output_body(struct h1_connection *connection, struct conn_out *out, herald_time now)
{
    if (!exchange_body_ready(connection->exchange))
        return 0;
    switch (connection->out_framing) {
    case H1_FRAMING_NONE:
        return connection->exchange->out_ended ? end_output(connection, now) : 0;
    case H1_FRAMING_CHUNKED:
        return output_chunk(connection, out, now);
    default:
        return output_plain(connection, out, now);
    }
}

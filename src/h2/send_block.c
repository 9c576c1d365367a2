/* Field blocks on their way out: encoded straight into the output; what does not fit there goes to
 * conn->spill and follows as CONTINUATION frames, before anything else (RFC 9113 section 4.3). */
#include "h2/internal.h"

struct block_writer {
    struct h2_conn *conn;
    uint8_t *out;
    size_t capacity, length;
    bool spilled;
    int error;
};

static void put(struct block_writer *block, const struct hpack_field *field)
{
    struct h2_conn *conn = block->conn;
    if (block->error != 0)
        return;
    if (!block->spilled) {
        int written = hpack_encode_field(&conn->encoder, field, block->out + block->length,
                                         block->capacity - block->length);
        if (written >= 0) {
            block->length += (size_t)written;
            return;
        }
        block->spilled = true;
    }
    size_t bound = hpack_field_bound(field);
    uint8_t *out = buf_reserve(&conn->spill, bound, &block->error);
    if (out != NULL)
        buf_commit(&conn->spill, (size_t)hpack_encode_field(&conn->encoder, field, out, bound));
}

static void put_pseudo(struct block_writer *block, struct span name, struct span value,
                       enum hpack_static_name index)
{
    put(block, &(struct hpack_field){name, value, false, (uint8_t)index});
}

static void put_fields(struct block_writer *block, const struct fields *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        const struct field *field = &fields->items[i];
        bool is_static = field->known >= KNOWN_STATIC_FIRST && field->known <= KNOWN_STATIC_LAST;
        put(block,
            &(struct hpack_field){field->name, field->value, (field->flags & FIELD_SENSITIVE) != 0,
                                  is_static ? (uint8_t)field->known : 0});
    }
}

static void put_status(struct block_writer *block, unsigned status)
{
    uint8_t digits[3] = {(uint8_t)('0' + status / 100 % 10), (uint8_t)('0' + status / 10 % 10),
                         (uint8_t)('0' + status % 10)};
    put_pseudo(block, SPAN_LITERAL(":status"), span_make(digits, 3), HPACK_NAME_STATUS);
}

static void put_request(struct block_writer *block, const struct message *request)
{
    bool connect = span_equals(request->method, SPAN_LITERAL("CONNECT"));
    put_pseudo(block, SPAN_LITERAL(":method"), request->method, HPACK_NAME_METHOD);
    if (!connect || request->protocol.length > 0) {
        put_pseudo(block, SPAN_LITERAL(":scheme"), request->scheme, HPACK_NAME_SCHEME);
        put_pseudo(block, SPAN_LITERAL(":path"), request->path, HPACK_NAME_PATH);
    }
    if (request->authority.length > 0)
        put_pseudo(block, SPAN_LITERAL(":authority"), request->authority, HPACK_NAME_AUTHORITY);
    if (request->protocol.length > 0)
        put_pseudo(block, SPAN_LITERAL(":protocol"), request->protocol, HPACK_NAME_NONE);
}

/* Begins a frame with `prefix` bytes in front of the block. */
static struct block_writer begin(struct h2_conn *conn, struct h2_writer *writer, size_t prefix)
{
    size_t room = h2_writer_room(writer) - H2_FRAME_HEADER;
    if (room > conn->peer.max_frame_size)
        room = conn->peer.max_frame_size;
    return (struct block_writer){
        .conn = conn,
        .out = writer->data + writer->length + H2_FRAME_HEADER,
        .capacity = room,
        .length = prefix,
    };
}

static int finish(struct block_writer *block, struct h2_writer *writer, struct h2_frame frame,
                  const struct h2_trace_block *trace)
{
    struct h2_conn *conn = block->conn;
    /* Fields are missing, but the table has moved on: the peer's would differ from now on. */
    if (block->error != 0)
        return h2_fail_memory(conn);
    frame.length = (uint32_t)block->length;
    if (!block->spilled)
        frame.flags |= H2_FLAG_END_HEADERS;
    h2_frame_write(writer->data + writer->length, frame);
    writer->length += H2_FRAME_HEADER + block->length;
    conn->spill_stream = frame.stream_id;
    if (conn->base.trace != NULL)
        h2_trace_block_frame(conn, FRAME_OUT, frame, trace);
    (void)h2_write_spill(conn, writer);
    return 0;
}

/* A client's priority goes with the request unless the caller gave the field (RFC 9218 section 5).
 */
static void put_priority(struct block_writer *block, const struct h2_stream *stream,
                         const struct message *message)
{
    char text[16];
    size_t length = priority_format(stream->exchange->priority, text);
    if (length > 0 && fields_find(&message->fields, KNOWN_PRIORITY) == NULL)
        put_pseudo(block, SPAN_LITERAL("priority"), span_make(text, length), HPACK_NAME_NONE);
}

int h2_write_headers(struct h2_stream *stream, const struct message *message, bool end_stream,
                     struct h2_writer *writer)
{
    struct block_writer block = begin(stream->conn, writer, 0);
    if (h2_is_client(stream->conn)) {
        put_request(&block, message);
        put_fields(&block, &message->fields);
        put_priority(&block, stream, message);
    } else {
        put_status(&block, message->status);
        put_fields(&block, &message->fields);
    }
    return finish(&block, writer,
                  (struct h2_frame){.type = H2_HEADERS,
                                    .flags = end_stream ? H2_FLAG_END_STREAM : 0,
                                    .stream_id = stream->id},
                  &(struct h2_trace_block){.head = message});
}

int h2_write_trailers(struct h2_stream *stream, struct h2_writer *writer)
{
    const struct fields *trailers = &stream->exchange->outgoing_trailers;
    struct block_writer block = begin(stream->conn, writer, 0);
    put_fields(&block, trailers);
    return finish(
        &block, writer,
        (struct h2_frame){.type = H2_HEADERS, .flags = H2_FLAG_END_STREAM, .stream_id = stream->id},
        &(struct h2_trace_block){.trailers = trailers});
}

int h2_write_push_promise(struct h2_stream *parent, uint32_t promised_id,
                          const struct message *request, struct h2_writer *writer)
{
    struct block_writer block = begin(parent->conn, writer, 4);
    h2_put32(block.out, promised_id);
    put_request(&block, request);
    put_fields(&block, &request->fields);
    return finish(&block, writer,
                  (struct h2_frame){.type = H2_PUSH_PROMISE, .stream_id = parent->id},
                  &(struct h2_trace_block){.head = request, .promised_id = promised_id});
}

bool h2_write_spill(struct h2_conn *conn, struct h2_writer *writer)
{
    size_t left;
    while ((left = buf_length(&conn->spill)) > 0) {
        size_t room = h2_writer_room(writer);
        if (room <= H2_FRAME_HEADER)
            return false;
        room -= H2_FRAME_HEADER;
        if (room > conn->peer.max_frame_size)
            room = conn->peer.max_frame_size;
        size_t length = left < room ? left : room;
        struct h2_frame frame = {.type = H2_CONTINUATION,
                                 .flags = length == left ? H2_FLAG_END_HEADERS : 0,
                                 .length = (uint32_t)length,
                                 .stream_id = conn->spill_stream};
        h2_frame_write(writer->data + writer->length, frame);
        memcpy(writer->data + writer->length + H2_FRAME_HEADER, buf_span(&conn->spill).data,
               length);
        writer->length += H2_FRAME_HEADER + length;
        buf_consume(&conn->spill, length);
        if (conn->base.trace != NULL)
            h2_trace_block_frame(conn, FRAME_OUT, frame, &(struct h2_trace_block){0});
    }
    buf_free(&conn->spill);
    return true;
}

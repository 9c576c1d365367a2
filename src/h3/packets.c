/* What goes out: packets of one size in a row, so that the socket can send them as one buffer. */
#include "h3/internal.h"

#define VECTORS 16

struct packet {
    ngtcp2_path_storage path;
    ngtcp2_pkt_info about;
};

/* What a packet took of a stream. False: the connection is ending. */
static bool note_written(struct h3_conn *conn, int64_t id, ngtcp2_ssize length)
{
    if (length < 0)
        return true;
    int error = nghttp3_conn_add_write_offset(conn->http, id, (size_t)length);
    if (error != 0)
        h3_fail_http(conn, error);
    return error == 0;
}

/* 0: nothing to send now; negative: the connection is ending. */
static ngtcp2_ssize write_packet(struct h3_conn *conn, uint8_t *data, size_t capacity,
                                 struct packet *packet)
{
    for (;;) {
        nghttp3_vec vectors[VECTORS];
        nghttp3_ssize count = 0;
        int64_t id = -1;
        int end = 0;
        if (conn->http != NULL && ngtcp2_conn_get_max_data_left(conn->quic) > 0) {
            count = nghttp3_conn_writev_stream(conn->http, &id, &end, vectors, VECTORS);
            if (count < 0) {
                h3_fail_http(conn, (int)count);
                return -1;
            }
        }
        ngtcp2_ssize taken = -1;
        uint32_t flags = NGTCP2_WRITE_STREAM_FLAG_MORE | (end ? NGTCP2_WRITE_STREAM_FLAG_FIN : 0u);
        ngtcp2_ssize length = ngtcp2_conn_writev_stream(
            conn->quic, &packet->path.path, &packet->about, data, capacity, &taken, flags, id,
            (const ngtcp2_vec *)vectors, (size_t)count, conn->now);
        if (length == NGTCP2_ERR_STREAM_DATA_BLOCKED) {
            nghttp3_conn_block_stream(conn->http, id);
        } else if (length == NGTCP2_ERR_STREAM_SHUT_WR || length == NGTCP2_ERR_STREAM_NOT_FOUND) {
            nghttp3_conn_shutdown_stream_write(conn->http, id);
        } else if (length == NGTCP2_ERR_WRITE_MORE) {
            if (!note_written(conn, id, taken))
                return -1;
        } else if (length < 0) {
            h3_fail_quic(conn, (int)length);
            return -1;
        } else {
            return note_written(conn, id, taken) ? length : -1;
        }
    }
}

/* Adds a packet at the end of the run, or puts it aside. True: nothing more fits the run. */
static bool add_packet(struct h3_endpoint *endpoint, struct conn_out *out,
                       const struct packet *packet, size_t length)
{
    if (out->length == 0) {
        ngtcp2_path_storage_zero(&endpoint->out_path);
        ngtcp2_path_copy(&endpoint->out_path.path, &packet->path.path);
        const ngtcp2_path *path = &endpoint->out_path.path;
        out->path = (struct conn_path){path->local.addr, path->remote.addr, path->local.addrlen,
                                       path->remote.addrlen};
        out->ecn = packet->about.ecn;
        out->segment = out->length = length;
        return false;
    }
    if (length <= out->segment && out->ecn == packet->about.ecn &&
        ngtcp2_path_eq(&endpoint->out_path.path, &packet->path.path)) {
        out->length += length;
        return length < out->segment;
    }
    ngtcp2_path_storage_zero(&endpoint->held.path);
    ngtcp2_path_copy(&endpoint->held.path.path, &packet->path.path);
    endpoint->held.ecn = packet->about.ecn;
    endpoint->held.length = length;
    memcpy(endpoint->held.data, out->data + out->length, length);
    return true;
}

bool h3_write_packets(struct h3_conn *conn, struct conn_out *out, herald_time now)
{
    struct h3_endpoint *endpoint = conn->endpoint;
    size_t quantum = ngtcp2_conn_get_send_quantum(conn->quic);
    bool full = false;
    conn->now = now;
    if (!h3_turn(conn))
        return out->length > 0;
    while (!full && out->length < quantum && out->capacity - out->length >= H3_DATAGRAM_MOST) {
        struct packet packet = {0};
        ngtcp2_path_storage_zero(&packet.path);
        conn->working = true;
        ngtcp2_ssize length =
            write_packet(conn, out->data + out->length, H3_DATAGRAM_MOST, &packet);
        conn->working = false;
        bool more = !list_is_empty(&conn->due);
        if (!h3_turn(conn))
            return out->length > 0;
        if (length > 0)
            full = add_packet(endpoint, out, &packet, (size_t)length);
        else if (!more) {
            list_remove(&conn->ready);
            break;
        }
    }
    ngtcp2_conn_update_pkt_tx_time(conn->quic, now);
    h3_set_timer(conn);
    return out->length > 0;
}

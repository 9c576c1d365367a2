#include "h1/connection.h"

/* While bytes wait for the transport and it does not ask for them, time runs against the peer. */
static bool is_stalling(const struct h1_connection *connection)
{
    return h1_is_server(connection) && h1_has_output(connection);
}

static void stop_stall(struct h1_connection *connection)
{
    h1_pace_stop(&connection->stall_pace);
    connection->stall_due = HERALD_NEVER;
    connection->stall_bytes = 0;
}

static void start_stall(struct h1_connection *connection, herald_time now)
{
    const struct limits *limits = connection->conn.limits;

    h1_pace_start(&connection->stall_pace, now, 2 * limits->stall_grace);
    connection->stall_due = now + limits->stall_timeout;
    connection->stall_bytes = 0;
}

void h1_note_pulled(struct h1_connection *connection, size_t length, herald_time now)
{
    const struct limits *limits = connection->conn.limits;

    if (!is_stalling(connection)) {
        stop_stall(connection);
        if (connection->peer_ended && connection->exchange != NULL &&
            !connection->exchange->tunnel && h1_is_server(connection))
            connection->half_close_due = now + H1_HALF_CLOSE_GRACE;
        return;
    }
    connection->half_close_due = HERALD_NEVER;
    if (connection->stall_due == HERALD_NEVER) {
        start_stall(connection, now);
        return;
    }
    h1_pace_credit(&connection->stall_pace, length, limits->stall_rate, now,
                   2 * limits->stall_grace);
    connection->stall_bytes += length;
    if (connection->stall_bytes >= limits->stall_progress) {
        connection->stall_bytes = 0;
        connection->stall_due = now + limits->stall_timeout;
    }
}

herald_time h1_deadline(const struct conn *conn)
{
    const struct h1_connection *connection = CONTAINER_OF(conn, struct h1_connection, conn);
    herald_time due = herald_time_earlier(connection->head_due, connection->body_pace.due);

    due = herald_time_earlier(due, connection->continue_due);
    due = herald_time_earlier(due, connection->drain_due);
    due = herald_time_earlier(due, connection->half_close_due);
    due = herald_time_earlier(due, connection->stall_pace.due);
    due = herald_time_earlier(due, connection->stall_due);
    /* Output has come since the last pull: when the transport is full nobody has seen it yet. */
    if (connection->stall_due == HERALD_NEVER && is_stalling(connection))
        due = 0;
    return due;
}

static void expire_head(struct h1_connection *connection, herald_time now)
{
    bool begun = connection->message_start != HERALD_NEVER;

    connection->head_due = HERALD_NEVER;
    if (begun) {
        h1_refuse(connection, HERALD_ERROR_TIMEOUT, 408, now);
    } else {
        connection->input_state = H1_INPUT_CLOSED;
        connection->conn.finished = true;
    }
}

static void expire_continue(struct h1_connection *connection)
{
    connection->continue_due = HERALD_NEVER;
    if (!h1_is_server(connection)) {
        connection->continue_owed = false;
    } else if (connection->continue_owed) {
        connection->exchange->incoming.expects_continue = false;
        /* Without memory for it the client goes on by itself after a while. */
        (void)exchange_inform(connection->exchange, 100, NULL, 0);
    }
}

int h1_expire(struct conn *conn, herald_time now)
{
    struct h1_connection *connection = h1_from_conn(conn);

    if (connection->stall_due == HERALD_NEVER && is_stalling(connection))
        start_stall(connection, now);
    if (now >= connection->stall_due || now >= connection->stall_pace.due) {
        buf_free(&connection->spill);
        stop_stall(connection);
        h1_fail(connection, HERALD_ERROR_TIMEOUT, now);
    }
    if (now >= connection->head_due)
        expire_head(connection, now);
    if (now >= connection->body_pace.due)
        h1_refuse(connection, HERALD_ERROR_TIMEOUT, 408, now);
    if (now >= connection->continue_due)
        expire_continue(connection);
    if (now >= connection->drain_due && connection->exchange != NULL)
        h1_end_exchange(connection, 0, now);
    if (now >= connection->half_close_due) {
        connection->half_close_due = HERALD_NEVER;
        h1_fail(connection, HERALD_ERROR_CLOSED, now);
    }
    if (connection->input_state == H1_INPUT_CLOSED)
        buf_free(&connection->input);
    h1_update_reading(connection, now);
    return connection->failure;
}

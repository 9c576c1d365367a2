#include "http/conn.h"
#include "http/exchange_internal.h"

void conn_init(struct conn *conn, const struct conn_ops *ops, const struct conn_config *config,
               enum http_version version)
{
    *conn = (struct conn){
        .ops = ops,
        .host = config->host,
        .host_data = config->host_data,
        .info = config->info,
        .limits = config->limits,
        .trace = config->trace,
        .account = {.maximum = config->limits->connection_memory},
        .number = config->number,
        .role = config->role,
        .version = version,
        .wants_read = true,
    };
    list_init(&conn->exchanges);
}

void conn_detach(struct conn *conn)
{
    LIST_FOR_EACH_SAFE(node, following, &conn->exchanges)
    {
        struct exchange *exchange = CONTAINER_OF(node, struct exchange, conn_node);
        exchange_leave_conn(exchange);
    }
}

void conn_dispatch(struct conn *conn, struct exchange *exchange)
{
    exchange_give_to_owner(exchange);
    conn->host->dispatch(conn, exchange);
}

void conn_wake(struct conn *conn)
{
    if (conn->host->wake != NULL)
        conn->host->wake(conn);
}

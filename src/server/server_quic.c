/* HTTP/3 beside TCP: by default on the addresses that TLS is served on, or where --quic-bind says.
 */
#include "server/server_private.h"

#include "base/log.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_PORT 8443
#define ALT_SVC_AGE  86400 /* seconds */

static struct server *server_of_datagrams(struct datagram_link *link)
{
    return datagram_link_server(link)->user;
}

static int open_connection(struct datagram_link *link, struct conn_config *config)
{
    struct server *server = server_of_datagrams(link);
    struct connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL)
        return HERALD_ERROR_NOMEM;
    *connection = (struct connection){.server = server, .datagrams = link};
    server->counters.connections_accepted++;
    server_fill_conn_config(connection, config);
    datagram_link_set_user(link, connection);
    return 0;
}

static void closed(struct datagram_link *link, int reason)
{
    struct server *server = server_of_datagrams(link);
    struct connection *connection = datagram_link_user(link);
    (void)reason;
    server->counters.connections_closed++;
    free(connection->diary);
    free(connection);
    if (server->stopping)
        loop_work_add(server->loop, &server->turn_end);
}

static const struct datagram_link_ops link_ops = {.open = open_connection, .closed = closed};

static int open_one(struct server *server, const struct socket_address *address,
                    struct listener_error *error)
{
    if (server->quic_count == SERVER_QUIC_MAXIMUM) {
        snprintf(error->text, sizeof(error->text), "too many addresses for UDP");
        return HERALD_ERROR_LIMIT;
    }
    int result = datagram_listener_create(&server->quic_listeners[server->quic_count],
                                          &server->quic, address, false, error);
    server->quic_count += result == 0;
    return result;
}

/* Where TCP has found a free port, UDP takes the same. */
static void open_beside_tcp(struct server *server)
{
    for (size_t i = 0; i < server->listener_count; i++) {
        struct socket_address address = {.length = sizeof(address.storage)};
        struct listener_error error = {""};
        if (strncmp(server->addresses[i], "https://", 8) != 0 ||
            getsockname(listener_descriptor(server->listeners[i]),
                        (struct sockaddr *)&address.storage, &address.length) != 0)
            continue;
        if (open_one(server, &address, &error) < 0)
            log_write(LOG_WARNING, "no HTTP/3: %s", error.text);
    }
}

static int open_named(struct server *server)
{
    const struct text_list *list = &server->config->quic_bind;
    for (size_t i = 0; i < list->count; i++) {
        struct address address;
        struct socket_address addresses[8];
        struct listener_error error = {"cannot resolve the host"};
        if (address_parse(list->items[i], DEFAULT_PORT, &address) < 0 ||
            address.kind != ADDRESS_INET) {
            log_write(LOG_ERROR,
                      "--quic-bind '%s': not an address; accepted: host:port, [::1]:port",
                      list->items[i]);
            return HERALD_ERROR_CONFIG;
        }
        int count = address_resolve(&address, addresses, 8);
        int result = count < 0 ? HERALD_ERROR_IO : 0;
        for (int k = 0; k < count && result == 0; k++)
            result = open_one(server, &addresses[k], &error);
        if (result < 0) {
            log_write(LOG_ERROR, "--quic-bind '%s': %s", list->items[i], error.text);
            return HERALD_ERROR_IO;
        }
    }
    return 0;
}

int server_quic_bind(struct server *server)
{
    const struct serve_config *config = server->config;
    if (server->options.datagrams == NULL || server->options.datagrams->create == NULL ||
        server->tls == NULL)
        return 0;
    if (config->inherited != NULL) {
        if (config->worker == 1)
            log_write(config->quic_bind.count > 0 ? LOG_WARNING : LOG_DEBUG,
                      "no HTTP/3: workers do not share it; serve with one worker");
        return 0;
    }
    int result = datagram_server_init(&server->quic, server->loop, &link_ops, server);
    if (result < 0)
        return result;
    server->quic.tls = server->tls;
    server->quic.engine = server->options.datagrams;
    server->quic.maximum_links = server->secure.maximum_links;
    if (config->quic_bind.count > 0)
        result = open_named(server);
    else
        open_beside_tcp(server);
    if (result == 0 && server->quic_count > 0) {
        snprintf(server->fields.alt_svc, sizeof(server->fields.alt_svc), "h3=\":%u\"; ma=%d",
                 datagram_listener_port(server->quic_listeners[0]), ALT_SVC_AGE);
        server_fields_advertise(&server->fields, server->config);
    }
    return result;
}

int server_quic_start(struct server *server)
{
    int result = 0;
    for (size_t i = 0; i < server->quic_count && result == 0; i++)
        result = datagram_listener_start(server->quic_listeners[i]);
    return result;
}

static void shut_link(struct datagram_link *link, void *user)
{
    struct server *server = user;
    struct connection *connection = datagram_link_user(link);
    struct conn *conn = datagram_link_conn(link);
    if (conn == NULL || connection->shut || (!server->fresh_over && !connection->used))
        return;
    connection->shut = true;
    conn->ops->shutdown(conn, loop_now(server->loop));
}

void server_quic_shut(struct server *server)
{
    if (server->quic_count > 0)
        datagram_server_each(&server->quic, shut_link, server);
}

void server_quic_refuse(struct server *server)
{
    for (size_t i = 0; i < server->quic_count; i++)
        datagram_listener_refuse(server->quic_listeners[i]);
}

static void cut_link(struct datagram_link *link, void *user)
{
    struct server *server = user;
    server->counters.connections_forced++;
    datagram_link_close(link, HERALD_ERROR_TIMEOUT);
}

void server_quic_cut(struct server *server)
{
    if (server->quic_count > 0)
        datagram_server_each(&server->quic, cut_link, server);
}

void server_quic_close(struct server *server)
{
    for (size_t i = 0; i < server->quic_count; i++)
        datagram_listener_close(server->quic_listeners[i]);
    server->quic_count = 0;
}

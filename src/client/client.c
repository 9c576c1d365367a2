#include "client/client_internal.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void free_client(struct client *client)
{
    LIST_FOR_EACH_SAFE(node, following, &client->origins)
    origin_free(CONTAINER_OF(node, struct origin, node));
    free(client);
}

static void pump(struct loop_work *work, herald_time now)
{
    struct client *client = CONTAINER_OF(work, struct client, pump);

    client->pumping = true;
    LIST_FOR_EACH_SAFE(node, following, &client->origins)
    {
        struct origin *origin = CONTAINER_OF(node, struct origin, node);
        origin_pump(origin, now);
        if (client->destroyed)
            break;
        if (origin_is_unused(origin))
            origin_free(origin);
    }
    client->pumping = false;
    if (client->destroyed && client->connection_count == 0)
        free_client(client);
}

void client_schedule(struct client *client)
{
    if (!client->destroyed)
        loop_work_add(client->config.loop, &client->pump);
}

void client_note(struct client *client, uint64_t connection, const char *format, ...)
{
    char text[CLIENT_ERROR_SIZE];
    va_list arguments;

    if (client->config.note == NULL || client->destroyed)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    client->config.note(client->config.note_user, connection, text);
}

void client_connection_ended(struct client *client)
{
    client->connection_count--;
    if (client->destroyed && client->connection_count == 0 && !client->pumping)
        free_client(client);
    else
        client_schedule(client);
}

static void fill_defaults(struct client_config *config)
{
    if (config->limits == NULL)
        config->limits = &limits_default;
    if (config->connections_http1 == 0)
        config->connections_http1 = 6;
    if (config->connections_multiplex == 0)
        config->connections_multiplex = 1;
    if (config->connections_total == 0)
        config->connections_total = 256;
    if (config->queue_length == 0)
        config->queue_length = 1024;
    if (config->connect_timeout == 0)
        config->connect_timeout = 10 * HERALD_SECOND;
    if (config->idle_timeout == 0)
        config->idle_timeout = 60 * HERALD_SECOND;
}

struct client *client_create(const struct client_config *config)
{
    struct client *client = calloc(1, sizeof(*client));

    if (client == NULL)
        return NULL;
    client->config = *config;
    fill_defaults(&client->config);
    list_init(&client->origins);
    list_init(&client->requests);
    loop_work_init(&client->pump, pump);
    return client;
}

static void close_connections(struct origin *origin)
{
    LIST_FOR_EACH_SAFE(node, following, &origin->connections)
    {
        struct connection *connection = CONTAINER_OF(node, struct connection, node);
        connection->closing = true;
        link_close(connection->link, HERALD_ERROR_CANCELLED);
    }
}

void client_destroy(struct client *client)
{
    if (client == NULL)
        return;
    client->destroyed = true;
    loop_work_remove(&client->pump);
    LIST_FOR_EACH_SAFE(node, following, &client->origins)
    close_connections(CONTAINER_OF(node, struct origin, node));
    /* One at a time from the front: an event may release any other request. */
    for (struct list *node; (node = list_first(&client->requests)) != NULL;)
        request_orphan(CONTAINER_OF(node, struct request, client_node));
    if (client->connection_count == 0 && !client->pumping)
        free_client(client);
}

void client_shutdown(struct client *client)
{
    client->shutting_down = true;
    client_schedule(client);
}

size_t client_connection_count(const struct client *client)
{
    return client->connection_count;
}

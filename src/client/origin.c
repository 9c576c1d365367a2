#include "base/buf.h"
#include "client/client_internal.h"
#include <stdlib.h>

#define KEY_MAXIMUM 8192

/* The texts of a target one after the other, each with its NUL (absent ones as an empty text that
 * no present one equals), then the ports: two targets are the same when these bytes are. */
static int append_text(struct buf *key, const char *text)
{
    int result = buf_append_byte(key, text != NULL ? 1 : 2);

    return result != 0
               ? result
               : buf_append(key, text != NULL ? text : "", text != NULL ? strlen(text) + 1 : 1);
}

static int make_key(const struct client_target *target, struct buf *key)
{
    const char *texts[] = {target->scheme, target->host, target->unix_path, target->connect_host};
    const uint16_t ports[] = {target->port, target->connect_port};
    int result = 0;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && result == 0; i++)
        result = append_text(key, texts[i]);
    return result != 0 ? result : buf_append(key, ports, sizeof(ports));
}

static const char *next_text(const char **position)
{
    const char *text = *position;

    *position = text + 1 + strlen(text + 1) + 1;
    return text[0] == 1 ? text + 1 : NULL;
}

static struct origin *make_origin(struct client *client, const struct client_target *target,
                                  struct span key)
{
    struct origin *origin = calloc(1, sizeof(*origin));
    char *copy = malloc(key.length);

    if (origin == NULL || copy == NULL) {
        free(origin);
        free(copy);
        return NULL;
    }
    memcpy(copy, key.data, key.length);
    const char *position = copy;
    origin->client = client;
    origin->key = copy;
    origin->key_length = key.length;
    origin->target = *target;
    origin->target.scheme = next_text(&position);
    origin->target.host = next_text(&position);
    origin->target.unix_path = next_text(&position);
    origin->target.connect_host = next_text(&position);
    list_init(&origin->waiting);
    list_init(&origin->connections);
    list_append(&client->origins, &origin->node);
    return origin;
}

struct origin *origin_find(struct client *client, const struct client_target *target)
{
    struct origin *found = NULL;
    struct buf key;

    buf_init(&key, KEY_MAXIMUM, NULL);
    if (make_key(target, &key) != 0)
        goto out;
    LIST_FOR_EACH_SAFE(node, following, &client->origins)
    {
        struct origin *origin = CONTAINER_OF(node, struct origin, node);
        if (span_equals(span_make(origin->key, origin->key_length), buf_span(&key))) {
            found = origin;
            goto out;
        }
    }
    found = make_origin(client, target, buf_span(&key));
out:
    buf_free(&key);
    return found;
}

bool origin_is_unused(const struct origin *origin)
{
    return origin->requests == 0 && list_is_empty(&origin->connections);
}

void origin_free(struct origin *origin)
{
    list_remove(&origin->node);
    free(origin->key);
    free(origin);
}

void origin_enqueue(struct origin *origin, struct request *request, bool at_front)
{
    if (at_front)
        list_insert_before(origin->waiting.next, &request->queue_node);
    else
        list_append(&origin->waiting, &request->queue_node);
    origin->waiting_count++;
    client_schedule(origin->client);
}

void origin_dequeue(struct request *request)
{
    if (list_is_empty(&request->queue_node))
        return;
    list_remove(&request->queue_node);
    request->origin->waiting_count--;
}

/* ---- which connection serves which request ---- */

static void retire_closing(struct origin *origin)
{
    LIST_FOR_EACH_SAFE(node, following, &origin->connections)
    {
        struct connection *connection = CONTAINER_OF(node, struct connection, node);
        bool unwanted = origin->client->shutting_down && origin->waiting_count == 0;
        if (connection->closing || unwanted)
            connection_retire(connection);
    }
}

/* 0 when a connection took it; HERALD_ERROR_AGAIN when none would now; else why it cannot be sent.
 */
static int offer(struct origin *origin, struct request *request, herald_time now)
{
    LIST_FOR_EACH_SAFE(node, following, &origin->connections)
    {
        struct connection *connection = CONTAINER_OF(node, struct connection, node);
        struct conn *conn = connection_usable(connection);
        if (conn == NULL)
            continue;
        int result = conn->ops->request(conn, request->base.exchange, now);
        if (result == 0) {
            request_assigned(request, connection, now);
            link_wake(connection->link);
            return 0;
        }
        if (result == HERALD_ERROR_REFUSED || result == HERALD_ERROR_CLOSED)
            connection->closing = true;
        else if (result != HERALD_ERROR_LIMIT && result != HERALD_ERROR_AGAIN)
            return result;
    }
    return HERALD_ERROR_AGAIN;
}

static uint32_t connections_wanted(const struct origin *origin)
{
    const struct client_config *config = &origin->client->config;

    if (origin->version == HTTP_1_1)
        return config->connections_http1;
    if (origin->version != 0)
        return config->connections_multiplex;
    /* The protocol is only known when the first connection is open. */
    return config->connections_multiplex < config->connections_http1 ? config->connections_multiplex
                                                                     : config->connections_http1;
}

/* Makes room by closing an idle connection of another origin. */
static void close_an_idle_one(struct origin *needing)
{
    LIST_FOR_EACH_SAFE(node, following, &needing->client->origins)
    {
        struct origin *origin = CONTAINER_OF(node, struct origin, node);
        if (origin == needing || origin->waiting_count > 0)
            continue;
        LIST_FOR_EACH_SAFE(inner, behind, &origin->connections)
        {
            struct connection *connection = CONTAINER_OF(inner, struct connection, node);
            if (connection->active > 0)
                continue;
            if (!connection->retired)
                connection_retire(connection);
            return;
        }
    }
}

static void count_connections(const struct origin *origin, size_t *lasting, size_t *opening)
{
    *lasting = *opening = 0;
    for (const struct list *node = origin->connections.next; node != &origin->connections;
         node = node->next) {
        const struct connection *connection = CONTAINER_OF(node, struct connection, node);
        *lasting += !connection->closing;
        *opening += !connection->closing && !connection->was_open;
    }
}

static int open_connections(struct origin *origin)
{
    struct client *client = origin->client;
    size_t lasting, opening;

    count_connections(origin, &lasting, &opening);
    while (opening < origin->waiting_count && lasting < connections_wanted(origin)) {
        if (client->connection_count >= client->config.connections_total) {
            close_an_idle_one(origin);
            return 0;
        }
        int result = connection_open(origin);
        if (result != 0)
            return lasting > 0 ? 0 : result;
        lasting++;
        opening++;
    }
    return 0;
}

static void fail_waiting(struct origin *origin, int reason, const char *text)
{
    struct client *client = origin->client;
    size_t count = origin->waiting_count;

    /* Only those that wait now: events may add others. */
    while (count-- > 0 && !client->destroyed && !list_is_empty(&origin->waiting)) {
        struct list *node = list_first(&origin->waiting);
        request_fail(CONTAINER_OF(node, struct request, queue_node), reason, text);
    }
}

void origin_pump(struct origin *origin, herald_time now)
{
    struct client *client = origin->client;

    while (!list_is_empty(&origin->waiting)) {
        struct list *node = list_first(&origin->waiting);
        struct request *request = CONTAINER_OF(node, struct request, queue_node);
        int result = offer(origin, request, now);
        if (result == HERALD_ERROR_AGAIN)
            break;
        if (result != 0)
            request_fail(request, result, NULL);
        if (client->destroyed)
            return;
    }
    if (origin->waiting_count > 0) {
        int result = open_connections(origin);
        if (result != 0)
            fail_waiting(origin, result, NULL);
    }
    if (!client->destroyed)
        retire_closing(origin);
}

static bool has_other_hope(const struct origin *origin)
{
    size_t lasting, opening;

    count_connections(origin, &lasting, &opening);
    return lasting > 0;
}

void origin_connection_failed(struct origin *origin, int reason, const char *text)
{
    if (origin->waiting_count == 0) {
        origin->failures = 0;
        return;
    }
    if (has_other_hope(origin))
        return;
    origin->failures++;
    if (reason != HERALD_ERROR_CLOSED || origin->failures >= ORIGIN_FAILURES_MAXIMUM) {
        origin->failures = 0;
        fail_waiting(origin, reason, text);
    }
}

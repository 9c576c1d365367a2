#include "net/link_private.h"

#include "net/connector.h"
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#define DEFAULT_CONNECT_TIMEOUT (5 * HERALD_SECOND)
#define ALPN_NAME_SIZE          32

struct link_client {
    struct connector *connector; /* NULL once connected or failed */
    struct tls_context *tls;
    char *host, *server_name;
    uint16_t port;
    char first_alpn[ALPN_NAME_SIZE];
    herald_time handshake_timeout;
    struct link_timing timing;
};

void link_client_free(struct link_client *client)
{
    if (client->connector != NULL)
        connector_cancel(client->connector);
    tls_context_release(client->tls);
    free(client->host);
    free(client->server_name);
    free(client);
}

void link_client_secured(struct link_client *client, herald_time now)
{
    client->timing.secured = now;
}

const struct link_timing *link_get_timing(const struct link *link)
{
    static const struct link_timing none;

    return link->client != NULL ? &link->client->timing : &none;
}

static void connect_failed(struct link *link, const struct connector_result *result)
{
    if (result->code == HERALD_ERROR_RESOLVE)
        link_set_error(link, "cannot resolve '%s': %s", link->client->host,
                       result->number != 0 ? uv_strerror(result->number) : "no address");
    else if (result->number != 0)
        link_set_error(link, "%s", uv_strerror(-result->number));
    link_close(link, result->code);
}

static void limit_unsent(int descriptor)
{
    int low_water = LINK_NOTSENT_LOWAT;

    /* Not there on unix sockets, where it is not missed. */
    setsockopt(descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &low_water, sizeof(low_water));
}

static void on_connected(void *user, const struct connector_result *result)
{
    struct link *link = user;
    struct link_client *client = link->client;

    client->connector = NULL;
    client->timing.resolved = result->resolved;
    if (result->code != 0) {
        connect_failed(link, result);
        return;
    }
    limit_unsent(result->descriptor);
    int code = link_adopt(link, result->descriptor, NULL);
    if (code != 0) {
        close(result->descriptor);
        link_close(link, code);
        return;
    }
    client->timing.connected = loop_now(link->loop);
    if (link->tls == NULL) {
        link_open(link, span_from_text(client->first_alpn));
        return;
    }
    link->state = LINK_HANDSHAKE;
    link->deadline = client->timing.connected + client->handshake_timeout;
    link_step_handshake(link, SPAN_EMPTY);
    loop_work_add(link->loop, &link->work);
}

static int copy_target(struct link *link, const struct link_target *target)
{
    struct link_client *client = calloc(1, sizeof(*client));
    const char *host = target->host != NULL ? target->host : "localhost";
    const char *first = target->alpn_count > 0 ? target->alpn[0] : "http/1.1";

    if (client == NULL)
        return HERALD_ERROR_NOMEM;
    link->client = client;
    if (strlen(first) >= sizeof(client->first_alpn))
        return HERALD_ERROR_INVALID;
    memcpy(client->first_alpn, first, strlen(first) + 1);
    client->host = strdup(host);
    client->server_name = strdup(target->server_name != NULL ? target->server_name : host);
    client->port = target->port;
    client->handshake_timeout =
        target->handshake_timeout != 0 ? target->handshake_timeout : LINK_DEFAULT_HANDSHAKE_TIMEOUT;
    if (client->host == NULL || client->server_name == NULL)
        return HERALD_ERROR_NOMEM;
    if (target->tls == NULL)
        return 0;
    client->tls = tls_context_retain(target->tls);
    return tls_session_create_client(&link->tls, client->tls, client->server_name, client->port,
                                     target->alpn, target->alpn_count);
}

int link_connect(struct loop *loop, const struct link_target *target, const struct link_ops *ops,
                 void *user, struct link **result)
{
    struct link *link = link_new(loop, ops, user);

    if (link == NULL)
        return HERALD_ERROR_NOMEM;
    link->state = LINK_CONNECTING;
    int code = copy_target(link, target);
    if (code != 0)
        goto failed;
    link->client->timing.started = loop_now(loop);
    link->deadline =
        link->client->timing.started +
        (target->connect_timeout != 0 ? target->connect_timeout : DEFAULT_CONNECT_TIMEOUT);
    code = loop_timer_set(loop, &link->timer, link->deadline);
    if (code != 0)
        goto failed;
    code = connector_start(&link->client->connector, loop, target->host, target->port,
                           target->unix_path, on_connected, link);
    if (code != 0) {
        loop_timer_stop(loop, &link->timer);
        goto failed;
    }
    *result = link;
    return 0;
failed:
    link_free(link);
    return code;
}

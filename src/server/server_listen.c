#include "server/server_private.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_TLS_PORT       8443
#define DEFAULT_CLEARTEXT_PORT 8000

static struct link_server *link_server_for(struct server *server, bool secure)
{
    return secure ? &server->secure : &server->cleartext;
}

/* "https://127.0.0.1:8443", "unix:/path (https)" */
static void name_addresses(struct server *server, size_t from, bool secure)
{
    const char *scheme = secure ? "https" : "http";
    for (size_t i = from; i < server->listener_count; i++) {
        const char *name = listener_name(server->listeners[i]);
        if (listener_is_unix(server->listeners[i]))
            snprintf(server->addresses[i], SERVER_ADDRESS_SIZE, "%s (%s)", name, scheme);
        else
            snprintf(server->addresses[i], SERVER_ADDRESS_SIZE, "%s://%s", scheme, name);
    }
}

static int open_list(struct server *server, const struct text_list *list, bool secure)
{
    const struct listener_options options = {.backlog = (int)server->config->backlog};
    for (size_t i = 0; i < list->count; i++) {
        struct address address;
        struct listener_error error;
        uint16_t port = secure ? DEFAULT_TLS_PORT : DEFAULT_CLEARTEXT_PORT;
        if (address_parse(list->items[i], port, &address) < 0) {
            log_write(LOG_ERROR,
                      "--%s '%s': not an address; accepted: host:port, [::1]:port, unix:/path, "
                      "fd://N",
                      secure ? "bind" : "insecure-bind", list->items[i]);
            return HERALD_ERROR_CONFIG;
        }
        size_t first = server->listener_count;
        int opened = listener_open(server->listeners + first, SERVER_LISTENERS_MAXIMUM - first,
                                   &address, link_server_for(server, secure), &options, &error);
        if (opened < 0) {
            log_write(LOG_ERROR, "%s", error.text);
            return HERALD_ERROR_IO;
        }
        server->listener_count += (size_t)opened;
        name_addresses(server, first, secure);
    }
    return 0;
}

/* "tls=5 cleartext=7": the supervisor's sockets. */
static int adopt_inherited(struct server *server)
{
    const struct listener_options options = {.backlog = (int)server->config->backlog};
    const char *text = server->config->inherited;
    while (*text != '\0') {
        bool secure = strncmp(text, "tls=", 4) == 0;
        text += strcspn(text, "=");
        size_t digits = *text == '=' ? strcspn(text + 1, " ") : 0;
        uint64_t descriptor;
        struct listener_error error = {"the supervisor's sockets cannot be read"};
        size_t first = server->listener_count;
        if (digits == 0 || first == SERVER_LISTENERS_MAXIMUM ||
            span_to_unsigned(span_make(text + 1, digits), INT32_MAX, &descriptor) < 0 ||
            listener_create(&server->listeners[first], (int)descriptor,
                            link_server_for(server, secure), &options, &error) < 0) {
            log_write(LOG_ERROR, "%s", error.text);
            return HERALD_ERROR_IO;
        }
        server->listener_count++;
        name_addresses(server, first, secure);
        text += 1 + digits;
        text += strspn(text, " ");
    }
    return 0;
}

int server_open_listeners(struct server *server)
{
    int result = 0;
    if (server->config->inherited != NULL) {
        result = adopt_inherited(server);
    } else {
        result = open_list(server, &server->config->bind, true);
        if (result == 0)
            result = open_list(server, &server->config->insecure_bind, false);
    }
    if (result < 0)
        server_close_listeners(server);
    return result;
}

void server_close_listeners(struct server *server)
{
    for (size_t i = 0; i < server->listener_count; i++)
        listener_close(server->listeners[i]);
    server->listener_count = 0;
}

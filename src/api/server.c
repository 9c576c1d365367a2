#include "api/api_private.h"

#include "cli/serve.h"
#include "cli/serve_options.h"
#include "net/loop.h"
#include "server/folder.h"
#include "server/routes.h"
#include "server/server.h"

#include <stdatomic.h>
#include <stdlib.h>

struct callback {
    struct handler base;
    herald_handler *function;
    void *user;
};

struct herald_server {
    struct serve_settings settings;
    struct routes *routes; /* the server's once there is one */
    struct loop *loop;
    struct server *server;
    struct loop_task stop_task;
    atomic_bool stop_posted;
    int start_result; /* of the first herald_server_start */
    bool start_tried, stopped;
};

static void on_stop(struct loop_task *task)
{
    herald_server *self = CONTAINER_OF(task, herald_server, stop_task);
    if (self->server != NULL)
        server_shutdown(self->server, self->settings.config.graceful_timeout);
}

herald_server *herald_server_new(void)
{
    herald_server *self = calloc(1, sizeof(*self));
    if (self == NULL)
        return NULL;
    serve_config_init(&self->settings.config);
    self->settings.config.target = "C handlers";
    self->stop_task.run = on_stop;
    self->routes = routes_create();
    if (self->routes == NULL || loop_create(&self->loop) < 0) {
        if (self->routes != NULL)
            routes_handler(self->routes)->destroy(routes_handler(self->routes));
        serve_config_free(&self->settings.config);
        free(self);
        return NULL;
    }
    return self;
}

void herald_server_free(herald_server *self)
{
    if (self == NULL)
        return;
    server_destroy(self->server);
    loop_destroy(self->loop);
    if (self->routes != NULL)
        routes_handler(self->routes)->destroy(routes_handler(self->routes));
    serve_config_free(&self->settings.config);
    free(self);
}

int herald_server_set(herald_server *self, const char *key, const char *value)
{
    const struct option *option = option_by_key(&serve_options, key);
    char error[OPTION_ERROR_MAXIMUM];
    if (option == NULL)
        return HERALD_ERROR_NOT_FOUND;
    if (self->start_tried)
        return HERALD_ERROR_STATE;
    bool ignored = option->kind == OPTION_IGNORED || option->kind == OPTION_IGNORED_FLAG;
    if (ignored || option->offset == offsetof(struct serve_settings, config.workers))
        return HERALD_ERROR_UNSUPPORTED;
    const char *copy = serve_config_text(&self->settings.config, span_from_text(value));
    if (copy == NULL)
        return HERALD_ERROR_NOMEM;
    return option_set(option, &self->settings, copy, 0, error) < 0 ? HERALD_ERROR_INVALID : 0;
}

static void callback_start(struct handler *handler, struct exchange *exchange)
{
    struct callback *callback = CONTAINER_OF(handler, struct callback, base);
    herald_exchange *wrapped = api_exchange_wrap(exchange, callback->user);
    if (wrapped == NULL)
        exchange_release(exchange);
    else
        callback->function(wrapped, callback->user);
}

static void callback_destroy(struct handler *handler)
{
    free(CONTAINER_OF(handler, struct callback, base));
}

static int mount(herald_server *self, const char *prefix, struct handler *handler)
{
    int result = routes_mount(self->routes, SPAN_EMPTY, span_from_text(prefix), handler);
    if (result < 0)
        handler->destroy(handler);
    return result;
}

int herald_server_handle(herald_server *self, const char *prefix, herald_handler *function,
                         void *user)
{
    if (self->start_tried)
        return HERALD_ERROR_STATE;
    struct callback *callback = calloc(1, sizeof(*callback));
    if (callback == NULL)
        return HERALD_ERROR_NOMEM;
    *callback = (struct callback){
        .base = {.start = callback_start, .destroy = callback_destroy},
        .function = function,
        .user = user,
    };
    return mount(self, prefix, &callback->base);
}

int herald_server_folder(herald_server *self, const char *prefix, const char *path)
{
    if (self->start_tried)
        return HERALD_ERROR_STATE;
    const char *kept = serve_config_text(&self->settings.config, span_from_text(prefix));
    if (kept == NULL)
        return HERALD_ERROR_NOMEM;
    const struct folder_options options = {.root = path, .prefix = span_from_text(kept)};
    struct handler *folder;
    int result = folder_create(&options, &folder);
    return result < 0 ? result : mount(self, prefix, folder);
}

int herald_server_listen(herald_server *self, const char *address)
{
    return herald_server_set(self, "bind", address);
}

int herald_server_listen_cleartext(herald_server *self, const char *address)
{
    return herald_server_set(self, "insecure_bind", address);
}

static void on_stopped(struct server *server, void *user)
{
    herald_server *self = user;
    (void)server;
    self->stopped = true;
    loop_stop(self->loop);
}

static int make_server(herald_server *self)
{
    const struct server_options options = {
        .loop = self->loop,
        .config = &self->settings.config,
        .handler = routes_handler(self->routes),
        .engines = serve_engines,
        .engine_count = serve_engine_count,
        .datagrams = serve_datagram_engine,
        .stopped = on_stopped,
        .user = self,
    };
    int result = serve_complete(&self->settings.config);
    if (result == 0)
        result = server_create(&options, &self->server);
    if (result == 0)
        self->routes = NULL;
    return result;
}

int herald_server_start(herald_server *self)
{
    if (self->start_tried)
        return HERALD_ERROR_STATE;
    self->start_tried = true;
    self->start_result = make_server(self);
    if (self->start_result == 0)
        self->start_result = server_start(self->server);
    return self->start_result;
}

const char *herald_server_address(const herald_server *self, size_t index)
{
    return self->server == NULL ? NULL : server_address(self->server, index);
}

int herald_server_run(herald_server *self)
{
    if (!self->start_tried)
        (void)herald_server_start(self);
    if (self->start_result < 0)
        return self->start_result;
    return self->stopped ? HERALD_ERROR_STATE : loop_run(self->loop);
}

void herald_server_stop(herald_server *self)
{
    if (!atomic_exchange(&self->stop_posted, true))
        loop_post(self->loop, &self->stop_task);
}

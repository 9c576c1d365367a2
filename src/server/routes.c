#include "server/routes.h"

#include "server/status.h"

#include <stdlib.h>

struct mount {
    struct span host, prefix; /* one allocation, owned */
    struct handler *handler;
};

struct routes {
    struct handler base;
    struct mount *mounts;
    size_t count;
};

static void routes_start(struct handler *handler, struct exchange *exchange)
{
    struct routes *routes = CONTAINER_OF(handler, struct routes, base);
    struct handler *found =
        routes_find(routes, exchange->incoming.authority, exchange->incoming.path);
    if (found != NULL) {
        found->start(found, exchange);
        return;
    }
    status_respond(exchange, 404, NULL, 0);
    exchange_release(exchange);
}

static void routes_destroy(struct handler *handler)
{
    struct routes *routes = CONTAINER_OF(handler, struct routes, base);
    for (size_t i = 0; i < routes->count; i++) {
        struct mount *mount = &routes->mounts[i];
        if (mount->handler->destroy != NULL)
            mount->handler->destroy(mount->handler);
        free((void *)mount->host.data);
    }
    free(routes->mounts);
    free(routes);
}

struct routes *routes_create(void)
{
    struct routes *routes = calloc(1, sizeof(*routes));
    if (routes != NULL)
        routes->base = (struct handler){.start = routes_start, .destroy = routes_destroy};
    return routes;
}

struct handler *routes_handler(struct routes *routes)
{
    return &routes->base;
}

/* "example.com:8443" and "[::1]:8443" without their ports. */
static struct span host_of(struct span authority)
{
    size_t end = authority.length;
    while (end > 0 && authority.data[end - 1] >= '0' && authority.data[end - 1] <= '9')
        end--;
    bool port = end > 0 && authority.data[end - 1] == ':';
    bool bare_address =
        port && authority.data[0] != '[' && memchr(authority.data, ':', end - 1) != NULL;
    return port && !bare_address ? span_slice(authority, 0, end - 1) : authority;
}

static bool prefix_matches(struct span path, struct span prefix)
{
    if (!span_starts_with(path, prefix))
        return false;
    if (path.length == prefix.length || prefix.length == 0)
        return true;
    return path.data[prefix.length] == '/' || path.data[prefix.length] == '?';
}

struct handler *routes_find(const struct routes *routes, struct span authority, struct span path)
{
    struct span host = host_of(authority);
    const struct mount *best = NULL;
    for (size_t i = 0; i < routes->count; i++) {
        const struct mount *mount = &routes->mounts[i];
        bool any = mount->host.length == 0;
        if ((!any && !span_equals_ignoring_case(mount->host, host)) ||
            !prefix_matches(path, mount->prefix))
            continue;
        bool best_any = best != NULL && best->host.length == 0;
        if (best == NULL || (best_any && !any) ||
            (best_any == any && mount->prefix.length > best->prefix.length))
            best = mount;
    }
    return best == NULL ? NULL : best->handler;
}

static bool prefix_is_valid(struct span prefix)
{
    return prefix.length == 0 || (prefix.data[0] == '/' && prefix.data[prefix.length - 1] != '/');
}

int routes_mount(struct routes *routes, struct span host, struct span prefix,
                 struct handler *handler)
{
    if (!prefix_is_valid(prefix))
        return HERALD_ERROR_INVALID;
    for (size_t i = 0; i < routes->count; i++)
        if (span_equals(routes->mounts[i].host, host) &&
            span_equals(routes->mounts[i].prefix, prefix))
            return HERALD_ERROR_STATE;
    if (routes->count == ROUTES_MAXIMUM)
        return HERALD_ERROR_LIMIT;
    struct mount *mounts = realloc(routes->mounts, (routes->count + 1) * sizeof(*mounts));
    if (mounts == NULL)
        return HERALD_ERROR_NOMEM;
    routes->mounts = mounts;
    uint8_t *text = malloc(host.length + prefix.length + 1);
    if (text == NULL)
        return HERALD_ERROR_NOMEM;
    if (host.length > 0)
        memcpy(text, host.data, host.length);
    if (prefix.length > 0)
        memcpy(text + host.length, prefix.data, prefix.length);
    mounts[routes->count++] = (struct mount){span_make(text, host.length),
                                             span_make(text + host.length, prefix.length), handler};
    return 0;
}

#include "cli/serve.h"

#include "h3/h3.h"
#include "net/certificate.h"

#include <stdio.h>
#include <string.h>

static bool is_development(const struct serve_config *config, struct certificate_paths *paths)
{
    return config->bind.count > 0 && config->certfile.count > 0 &&
           certificate_find(NULL, paths) == 0 &&
           strcmp(config->certfile.items[0], paths->leaf_certificate) == 0;
}

/* "https://0.0.0.0:8443" is nothing to type. */
static void print_reachable(const char *address, char *text, size_t capacity)
{
    static const char *const wild[] = {"://0.0.0.0:", "://[::]:"};
    for (size_t i = 0; i < 2; i++) {
        const char *found = strstr(address, wild[i]);
        if (found != NULL) {
            snprintf(text, capacity, "%.*s://127.0.0.1:%s", (int)(found - address), address,
                     found + strlen(wild[i]));
            return;
        }
    }
    snprintf(text, capacity, "%s", address);
}

static const char *kind_of(const struct serve_config *config)
{
    switch (config->target_kind) {
    case TARGET_FOLDER:
        return "the folder ";
    case TARGET_UPSTREAM:
        return "the upstream ";
    default:
        return "";
    }
}

void serve_announce(const struct serve_config *config, const char *const *addresses, size_t count)
{
    struct certificate_paths paths;
    bool development = is_development(config, &paths);
    if (config->worker != 0 || config->loglevel < LOG_INFO)
        return;
    fprintf(stderr, "herald: serving %s%s", kind_of(config), config->target);
    if (config->workers > 1)
        fprintf(stderr, " with %u workers", config->workers);
    fputc('\n', stderr);
    for (size_t i = 0; i < count; i++)
        fprintf(stderr, "herald: listening on %s\n", addresses[i]);
    if (config->bind.count > 0 && h3_engine.create == NULL)
        fputs("herald: no HTTP/3: this build has no QUIC\n", stderr);
    if (development)
        fprintf(stderr, "herald: no certificate was given: using a development one, signed by %s\n",
                paths.ca_certificate);
    char reachable[256];
    if (count == 0 || strncmp(addresses[0], "http", 4) != 0)
        return;
    print_reachable(addresses[0], reachable, sizeof(reachable));
    fprintf(stderr, "herald: try: herald get -v %s/\n", reachable);
    if (development)
        fprintf(stderr, "herald:  or: curl --cacert %s -i %s/\n", paths.ca_certificate, reachable);
}

void serve_announce_server(const struct serve_config *config, const struct server *server)
{
    const char *addresses[128];
    size_t count = 0;
    while (count < 128 && (addresses[count] = server_address(server, count)) != NULL)
        count++;
    serve_announce(config, addresses, count);
}

#include "server/config.h"

#include "server/access_log.h"

#include <string.h>

/* Far above any sensible configuration; a runaway file is refused. */
#define CONFIG_TEXT_MAXIMUM (1024 * 1024)

void serve_config_init(struct serve_config *config)
{
    memset(config, 0, sizeof(*config));
    arena_init(&config->arena, CONFIG_TEXT_MAXIMUM, NULL);
    config->root_path = "";
    config->backlog = 4096;
    config->ssl_handshake_timeout = 10 * HERALD_SECOND;
    config->workers = 1;
    config->graceful_timeout = 30 * HERALD_SECOND;
    config->shutdown_timeout = 60 * HERALD_SECOND;
    config->startup_timeout = 60 * HERALD_SECOND;
    config->limits = limits_default;
    config->include_server_header = true;
    config->include_date_header = true;
    config->push = PUSH_AUTO;
    config->push_learn = true;
    config->push_fallback = true;
    config->max_app_queue_size = 10;
    config->wsgi_threads = 0;
    config->upstream_connect_timeout = 5 * HERALD_SECOND;
    config->upstream_read_timeout = 30 * HERALD_SECOND;
    config->access_log_format = access_log_default_format;
    config->loglevel = LOG_INFO;
}

void serve_config_free(struct serve_config *config)
{
    arena_free(&config->arena);
}

const char *serve_config_text(struct serve_config *config, struct span text)
{
    struct span copy;
    if (arena_copy(&config->arena, text, &copy) < 0)
        return NULL;
    return (const char *)copy.data;
}

int serve_config_append(struct serve_config *config, struct text_list *list, struct span text)
{
    if (list->count == TEXT_LIST_MAXIMUM)
        return HERALD_ERROR_LIMIT;
    const char *copy = serve_config_text(config, text);
    if (copy == NULL)
        return HERALD_ERROR_NOMEM;
    list->items[list->count++] = copy;
    return 0;
}

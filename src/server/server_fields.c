#include "server/server_private.h"

#include "http/date.h"

#include <stdlib.h>
#include <time.h>

/* The wall clock is asked four times a second at most. */
#define REFRESH_INTERVAL (250 * HERALD_MILLISECOND)

static void set_field(struct server_fields *fields, const char *name, const char *value)
{
    fields->items[fields->list.count++] = (struct field){
        .name = span_from_text(name),
        .value = span_from_text(value),
        .known = (uint16_t)known_name_find(span_from_text(name)),
    };
}

int server_fields_init(struct server_fields *fields, const struct serve_config *config)
{
    *fields = (struct server_fields){.second = INT64_MIN};
    fields->items = calloc(3 + config->alt_svc_headers.count, sizeof(*fields->items));
    if (fields->items == NULL)
        return HERALD_ERROR_NOMEM;
    fields->list.items = fields->items;
    server_fields_refresh(fields, REFRESH_INTERVAL);
    if (config->include_server_header)
        set_field(fields, "server", "herald");
    if (config->include_date_header)
        set_field(fields, "date", fields->date);
    for (size_t i = 0; i < config->alt_svc_headers.count; i++)
        set_field(fields, "alt-svc", config->alt_svc_headers.items[i]);
    return 0;
}

void server_fields_advertise(struct server_fields *fields, const struct serve_config *config)
{
    size_t count = fields->list.count;
    /* The operator's word goes before ours. */
    if (config->alt_svc_headers.count > 0)
        return;
    set_field(fields, "alt-svc", fields->alt_svc);
    fields->list.count = count;
    fields->advertising = (struct fields){.items = fields->items, .count = count + 1};
}

void server_fields_free(struct server_fields *fields)
{
    free(fields->items);
    fields->items = NULL;
}

void server_fields_refresh(struct server_fields *fields, herald_time now)
{
    if (now - fields->checked < REFRESH_INTERVAL)
        return;
    fields->checked = now;
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    if (wall.tv_sec == fields->second)
        return;
    fields->second = wall.tv_sec;
    date_format(wall.tv_sec, fields->date);
}

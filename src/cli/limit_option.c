#include "cli/limit_option.h"

#include "cli/nearest.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum unit { UNIT_NUMBER, UNIT_LARGE, UNIT_SIZE, UNIT_SECONDS };

/* maximum 0: none but the type's. */
struct limit_row {
    const char *name;
    size_t offset;
    enum unit unit;
    uint64_t minimum, maximum;
};

#define ROW(member, unit, minimum, maximum)                                                        \
    {                                                                                              \
#member, offsetof(struct limits, member), unit, minimum, maximum                           \
    }
#define NUMBER(member)               ROW(member, UNIT_NUMBER, 0, 0)
#define BETWEEN(member, least, most) ROW(member, UNIT_NUMBER, least, most)
#define SECONDS(member)              ROW(member, UNIT_SECONDS, 0, 0)
#define WINDOW_MAXIMUM               2147483647

static const struct limit_row rows[] = {
    /* What would need a buffer of unbounded size has a maximum. */
    BETWEEN(field_list_size, 1024, 1u << 30),
    NUMBER(field_count),
    NUMBER(trailer_count),
    NUMBER(trailer_size),
    BETWEEN(request_line_size, 256, 1u << 20),
    BETWEEN(method_size, 1, 1u << 20),
    NUMBER(informational_count),
    ROW(drain_size, UNIT_LARGE, 0, 0),
    BETWEEN(body_in_buffer, 1024, 1u << 30),
    BETWEEN(body_out_buffer, 1024, 1u << 30),
    ROW(connection_memory, UNIT_SIZE, 65536, 0),
    ROW(connection_memory_soft, UNIT_SIZE, 65536, 0),
    SECONDS(head_timeout),
    SECONDS(idle_timeout),
    SECONDS(body_grace),
    NUMBER(body_rate),
    SECONDS(stall_grace),
    NUMBER(stall_rate),
    SECONDS(stall_timeout),
    NUMBER(stall_progress),
    SECONDS(connection_age),
    ROW(requests, UNIT_LARGE, 0, 0),
    NUMBER(pipeline_depth),
    NUMBER(chunk_extension_size),
    NUMBER(chunk_extension_total),
    BETWEEN(concurrent_streams, 1, 1u << 30),
    BETWEEN(stream_window, 0, WINDOW_MAXIMUM),
    BETWEEN(connection_window, 65535, WINDOW_MAXIMUM),
    BETWEEN(stream_window_maximum, 0, WINDOW_MAXIMUM),
    BETWEEN(connection_window_maximum, 65535, WINDOW_MAXIMUM),
    BETWEEN(frame_size, 16384, 16777215),
    BETWEEN(header_table_size, 0, 1u << 20),
    NUMBER(field_memory),
    NUMBER(continuation_count),
    NUMBER(settings_entries),
    BETWEEN(control_frames_queued, 16, 0),
    BETWEEN(control_bytes_queued, 1024, 1u << 30),
    NUMBER(reset_burst),
    NUMBER(reset_rate),
    NUMBER(glitch_burst),
    NUMBER(glitch_rate),
    NUMBER(empty_data_frames),
    NUMBER(small_data_budget),
    NUMBER(overhead_ratio),
    NUMBER(overhead_free),
    NUMBER(window_update_burst),
    NUMBER(priority_burst),
    NUMBER(pushes_concurrent),
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

void limit_names(void (*each)(void *user, const char *name), void *user)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        each(user, rows[i].name);
}

static void consider(void *user, const char *name)
{
    nearest_consider(user, name);
}

static const struct limit_row *find(const char *text, size_t length,
                                    char error[OPTION_ERROR_MAXIMUM])
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (strlen(rows[i].name) == length && memcmp(rows[i].name, text, length) == 0)
            return &rows[i];
    char name[NEAREST_WORD_MAXIMUM + 1];
    snprintf(name, sizeof(name), "%.*s", (int)length, text);
    struct nearest nearest = {.wanted = name};
    limit_names(consider, &nearest);
    if (nearest.word != NULL)
        snprintf(error, OPTION_ERROR_MAXIMUM, "there is no limit '%s'; did you mean '%s'?", name,
                 nearest.word);
    else
        snprintf(error, OPTION_ERROR_MAXIMUM,
                 "there is no limit '%s'; docs/internals/limits.md lists them", name);
    return NULL;
}

static enum option_kind kind_of(enum unit unit)
{
    switch (unit) {
    case UNIT_NUMBER:
        return OPTION_NUMBER;
    case UNIT_SECONDS:
        return OPTION_SECONDS;
    default:
        return OPTION_LARGE;
    }
}

/* Times are added to the time of day, bucket sizes to each other: far below an overflow. */
static void set_off(const struct limit_row *row, void *place)
{
    if (row->unit == UNIT_NUMBER)
        *(uint32_t *)place = row->maximum != 0 ? (uint32_t)row->maximum : UINT32_MAX;
    else if (row->unit == UNIT_SECONDS)
        *(herald_time *)place = UINT64_C(1000000000) * HERALD_SECOND;
    else if (row->unit == UNIT_LARGE)
        *(uint64_t *)place = UINT64_MAX;
    else
        *(size_t *)place = SIZE_MAX / 2;
}

int limit_set(struct limits *limits, const char *text, char error[OPTION_ERROR_MAXIMUM])
{
    size_t length = strcspn(text, "=");
    const struct limit_row *row = find(text, length, error);
    if (row == NULL)
        return -1;
    if (text[length] == '\0') {
        snprintf(error, OPTION_ERROR_MAXIMUM, "'%s' needs a value: %s=VALUE", row->name, row->name);
        return -1;
    }
    const char *value = text + length + 1;
    if (strcmp(value, "off") == 0) {
        set_off(row, (char *)limits + row->offset);
        return 0;
    }
    const struct option option = {.kind = kind_of(row->unit),
                                  .offset = row->offset,
                                  .minimum = row->minimum,
                                  .maximum = row->maximum};
    char reason[OPTION_ERROR_MAXIMUM];
    if (option_set(&option, limits, value, 1, reason) == 0)
        return 0;
    snprintf(error, OPTION_ERROR_MAXIMUM, "%s: %.300s", row->name, reason);
    return -1;
}

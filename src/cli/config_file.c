#include "cli/config_file.h"

#include "cli/cli.h"
#include "cli/config_reader.h"
#include "cli/nearest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct config_source {
    const char *path;
    enum config_format format;
    const struct option_table *table;
    void *target;
    struct serve_config *config;
};

static bool ends_with(const char *text, const char *ending)
{
    size_t length = strlen(text), tail = strlen(ending);
    return length >= tail && strcmp(text + length - tail, ending) == 0;
}

static int choose_format(const char **path, enum config_format *format)
{
    static const struct {
        const char *ending;
        enum config_format format;
    } endings[] = {{".py", CONFIG_PYTHON},
                   {".toml", CONFIG_TOML},
                   {".yaml", CONFIG_YAML},
                   {".yml", CONFIG_YAML},
                   {".json", CONFIG_JSON}};
    if (strncmp(*path, "python:", 7) == 0) {
        *path += 7;
        *format = CONFIG_PYTHON_MODULE;
        return 0;
    }
    if (strncmp(*path, "file:", 5) == 0) {
        *path += 5;
        *format = CONFIG_PYTHON;
        return 0;
    }
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        if (ends_with(*path, endings[i].ending)) {
            *format = endings[i].format;
            return 0;
        }
    }
    cli_usage_error("%s: unknown kind of configuration file; accepted: .py, .toml, .yaml, .json",
                    *path);
    return HERALD_ERROR_CONFIG;
}

static int read_file(const char *path, struct buf *text, char reason[CONFIG_REASON_MAXIMUM])
{
    int result = HERALD_ERROR_IO;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        goto out;
    for (;;) {
        uint8_t *room = buf_reserve(text, 4096, NULL);
        if (room == NULL) {
            errno = EFBIG;
            goto out;
        }
        ssize_t length = read(descriptor, room, 4096);
        if (length < 0 && errno != EINTR)
            goto out;
        if (length == 0)
            break;
        if (length > 0)
            buf_commit(text, (size_t)length);
    }
    result = 0;
out:
    if (result < 0)
        snprintf(reason, CONFIG_REASON_MAXIMUM, "%s", strerror(errno));
    if (descriptor >= 0)
        close(descriptor);
    return result;
}

static json_t *load(const struct config_source *source, const char *python,
                    char reason[CONFIG_REASON_MAXIMUM])
{
    if (source->format == CONFIG_PYTHON_MODULE)
        return config_read_python(source->format, source->path, python, reason);
    struct buf text;
    buf_init(&text, CONFIG_FILE_MAXIMUM, NULL);
    json_t *json = NULL;
    /* Python files are opened here too, so that a missing one reads alike for every format. */
    if (read_file(source->path, &text, reason) == 0) {
        if (source->format == CONFIG_YAML)
            json = config_read_yaml(buf_span(&text), reason);
        else if (source->format == CONFIG_JSON)
            json = config_read_json(buf_span(&text), reason);
        else
            json = config_read_python(source->format, source->path, python, reason);
    }
    buf_free(&text);
    return json;
}

/* The text that would have been given on a command line; NULL when there is none for it. */
static const char *value_text(const struct config_source *source, const json_t *value)
{
    char number[64];
    if (json_is_string(value))
        return serve_config_text(source->config,
                                 span_make(json_string_value(value), json_string_length(value)));
    if (json_is_boolean(value))
        return json_is_true(value) ? "true" : "false";
    if (json_is_integer(value))
        snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        snprintf(number, sizeof(number), "%.9f", json_real_value(value));
    else
        return NULL;
    return serve_config_text(source->config, span_from_text(number));
}

static int apply_value(const struct config_source *source, const struct option *option,
                       const json_t *value, int first)
{
    const char *text = value_text(source, value);
    char error[OPTION_ERROR_MAXIMUM] = "not a value this key can have";
    if (text == NULL || option_set(option, source->target, text, first, error) < 0) {
        cli_usage_error("%s: %s: %s", source->path, option->key, error);
        return HERALD_ERROR_CONFIG;
    }
    return 0;
}

/* A table of limits: name and value become the text of the command line. */
static int apply_limits(const struct config_source *source, const struct option *option,
                        json_t *table)
{
    const char *name;
    json_t *value;
    json_object_foreach(table, name, value)
    {
        char pair[256] = "";
        const char *text = value_text(source, value);
        if (text != NULL)
            snprintf(pair, sizeof(pair), "%s=%s", name, text);
        char error[OPTION_ERROR_MAXIMUM] = "not a value a limit can have";
        if (text == NULL || option_set(option, source->target, pair, 0, error) < 0) {
            cli_usage_error("%s: %s: %s", source->path, option->key, error);
            return HERALD_ERROR_CONFIG;
        }
    }
    return 0;
}

static int apply_key(const struct config_source *source, const struct option *option, json_t *value)
{
    if (json_is_null(value))
        return 0;
    if (option->kind == OPTION_IGNORED || option->kind == OPTION_IGNORED_FLAG) {
        /* Switched off there too: nothing is missing. */
        if (!json_is_false(value))
            cli_warning("%s: %s is ignored: %s", source->path, option->key, option->help);
        return 0;
    }
    if (option->kind == OPTION_LIMIT && json_is_object(value))
        return apply_limits(source, option, value);
    if (!json_is_array(value))
        return apply_value(source, option, value, 1);
    if (option->kind != OPTION_LIST && option->kind != OPTION_LIMIT) {
        cli_usage_error("%s: %s: one value is expected, not a list", source->path, option->key);
        return HERALD_ERROR_CONFIG;
    }
    int result = 0;
    for (size_t i = 0; i < json_array_size(value) && result == 0; i++)
        result = apply_value(source, option, json_array_get(value, i), i == 0);
    return result;
}

static int refuse_key(const struct config_source *source, const char *key)
{
    struct nearest nearest = {.wanted = key};
    for (size_t i = 0; i < source->table->count; i++)
        if (source->table->options[i].key != NULL)
            nearest_consider(&nearest, source->table->options[i].key);
    if (nearest.word != NULL) {
        cli_usage_error("%s: unknown key '%s'; did you mean '%s'?", source->path, key,
                        nearest.word);
        return HERALD_ERROR_CONFIG;
    }
    if (source->format == CONFIG_PYTHON || source->format == CONFIG_PYTHON_MODULE) {
        /* A program may have names of its own beside its settings. */
        cli_warning("%s: '%s' is not a setting and is left alone", source->path, key);
        return 0;
    }
    cli_usage_error("%s: unknown key '%s'; 'herald serve --help' lists them", source->path, key);
    return HERALD_ERROR_CONFIG;
}

int config_file_read(const char *path, const char *python, const struct option_table *table,
                     void *target, struct serve_config *config)
{
    struct config_source source = {
        .path = path, .table = table, .target = target, .config = config};
    if (choose_format(&source.path, &source.format) < 0)
        return HERALD_ERROR_CONFIG;
    char reason[CONFIG_REASON_MAXIMUM] = "";
    json_t *json = load(&source, python, reason);
    if (json == NULL) {
        cli_usage_error("%s: %s", source.path, reason);
        return HERALD_ERROR_CONFIG;
    }
    int result = 0;
    if (!json_is_object(json)) {
        cli_usage_error("%s: keys and values are expected", source.path);
        result = HERALD_ERROR_CONFIG;
    }
    const char *key;
    json_t *value;
    json_object_foreach(json, key, value)
    {
        const struct option *option = option_by_key(table, key);
        result = option == NULL ? refuse_key(&source, key) : apply_key(&source, option, value);
        if (result < 0)
            break;
    }
    json_decref(json);
    return result;
}

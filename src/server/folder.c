#include "server/folder.h"

#include "http/conditional.h"
#include "http/range.h"
#include "net/loop.h"
#include "server/file_cache.h"
#include "server/file_source.h"
#include "server/folder_path.h"
#include "server/server.h"
#include "server/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define DEFAULT_INDEX  "index.html"
#define COPIED_MAXIMUM 1024

struct folder {
    struct handler base;
    struct file_root root;
    struct file_cache *cache;
    struct span prefix;
    const char *index;
    bool dotfiles;
};

static int answer_error(struct exchange *exchange, enum file_result result)
{
    switch (result) {
    case FILE_FORBIDDEN:
        return status_respond(exchange, 403, NULL, 0);
    case FILE_BUSY:
        return status_respond(exchange, 503, &FIELD("retry-after", "1"), 1);
    case FILE_BROKEN:
        return status_respond(exchange, 500, NULL, 0);
    default:
        return status_respond(exchange, 404, NULL, 0);
    }
}

/* "/a?b" to "/a/?b". Two slashes in front would name another host. */
static int redirect_to_slash(struct exchange *exchange)
{
    struct span target = exchange->incoming.path;
    while (target.length > 1 && target.data[1] == '/')
        target = span_slice(target, 1, target.length);
    const uint8_t *query = memchr(target.data, '?', target.length);
    size_t path = query == NULL ? target.length : (size_t)(query - target.data);
    uint8_t *location = arena_alloc(&exchange->arena, target.length + 1);
    if (location == NULL)
        return HERALD_ERROR_NOMEM;
    memcpy(location, target.data, path);
    location[path] = '/';
    memcpy(location + path + 1, target.data + path, target.length - path);
    const struct field field = {.name = SPAN_LITERAL("location"),
                                .value = span_make(location, target.length + 1),
                                .known = KNOWN_LOCATION};
    return status_respond(exchange, 301, &field, 1);
}

struct answer {
    struct exchange *exchange;
    struct file *file;
    struct validators validators;
    char range[RANGE_CONTENT_LENGTH];
    int64_t now;
    struct field fields[6];
    size_t count;
};

static void add_field(struct answer *answer, enum known_name known, struct span value)
{
    answer->fields[answer->count++] =
        (struct field){.name = known_name_text(known), .value = value, .known = known};
}

static void release_file(void *file)
{
    file_release(file);
}

/* From memory: small pieces are cheaper copied than counted. */
static int send_content(struct exchange *exchange, struct file *file, uint64_t first,
                        uint64_t length)
{
    struct span bytes = span_make(file->content + first, (size_t)length);
    int result = length <= COPIED_MAXIMUM
                     ? exchange_write(exchange, bytes)
                     : exchange_write_reference(exchange, bytes, release_file, file_retain(file));
    return result < 0 ? result : exchange_finish(exchange, NULL, 0);
}

static int send_range(struct answer *answer, unsigned status, uint64_t first, uint64_t length)
{
    struct exchange *exchange = answer->exchange;
    add_field(answer, KNOWN_CONTENT_TYPE, answer->file->content_type);
    int result = exchange_respond(exchange, status, answer->fields, answer->count, length);
    if (result < 0)
        return result;
    exchange_discard_input(exchange);
    if (answer->file->content != NULL)
        return send_content(exchange, answer->file, first, length);
    struct body_source *source = file_source_create(&exchange->arena, answer->file, first, length);
    if (source == NULL) {
        exchange_cancel(exchange, HERALD_ERROR_INTERNAL);
        return HERALD_ERROR_NOMEM;
    }
    return exchange_write_source(exchange, source);
}

static int send_file(struct answer *answer)
{
    const struct message *request = &answer->exchange->incoming;
    uint64_t size = answer->file->size;
    struct range ranges[RANGE_MAXIMUM];
    size_t count = 0;
    enum range_result found = RANGE_IGNORE;
    /* Range means nothing but for GET (section 14.2). */
    if (span_equals(request->method, SPAN_LITERAL("GET")) &&
        fields_count(&request->fields, KNOWN_RANGE) == 1 &&
        condition_range_applies(&request->fields, &answer->validators, answer->now))
        found = range_parse(fields_value(&request->fields, KNOWN_RANGE), size, ranges, &count);
    add_field(answer, KNOWN_ACCEPT_RANGES, SPAN_LITERAL("bytes"));
    if (found == RANGE_IGNORE || (found == RANGE_PARTIAL && count != 1))
        return send_range(answer, 200, 0, size);
    const struct range *range = found == RANGE_PARTIAL ? &ranges[0] : NULL;
    size_t length = range_format_content(range, size, answer->range);
    add_field(answer, KNOWN_CONTENT_RANGE, span_make(answer->range, length));
    if (range == NULL)
        return status_respond(answer->exchange, 416, answer->fields, answer->count);
    return send_range(answer, 206, range->first, range->last - range->first + 1);
}

static int answer_file(struct exchange *exchange, struct file *file)
{
    struct answer answer = {
        .exchange = exchange,
        .file = file,
        .validators = {.etag = span_from_text(file->etag), .last_modified = file->modified.tv_sec},
        .now = time(NULL),
    };
    const struct message *request = &exchange->incoming;
    add_field(&answer, KNOWN_ETAG, answer.validators.etag);
    add_field(&answer, KNOWN_LAST_MODIFIED, span_make(file->last_modified, DATE_LENGTH));
    switch (condition_evaluate(&request->fields, request->method, &answer.validators, true,
                               answer.now)) {
    case CONDITION_NOT_MODIFIED:
        return status_respond(exchange, 304, answer.fields, answer.count);
    case CONDITION_PRECONDITION_FAILED:
        return status_respond(exchange, 412, NULL, 0);
    default:
        return send_file(&answer);
    }
}

/* Without a server (in tests) there is no clock to tell how old an entry is. */
static enum file_result open_file(struct folder *folder, const struct exchange *exchange,
                                  const char *name, struct file **file)
{
    const struct server *server = server_of(exchange);
    if (server == NULL)
        return file_open(&folder->root, name, file);
    return file_cache_open(folder->cache, name, server_loop(server)->now, file);
}

static int answer_index(struct folder *folder, struct exchange *exchange, struct folder_path *path)
{
    size_t room = FOLDER_PATH_MAXIMUM - (size_t)(path->name - path->text) - path->length;
    int added = snprintf(path->name + path->length, room, "%s%s", path->length > 0 ? "/" : "",
                         folder->index);
    if (added < 0 || (size_t)added >= room)
        return answer_error(exchange, FILE_ABSENT);
    struct file *file = NULL;
    enum file_result result = open_file(folder, exchange, path->name, &file);
    if (result == FILE_IS_FOLDER)
        result = FILE_ABSENT;
    int answered =
        result == FILE_FOUND ? answer_file(exchange, file) : answer_error(exchange, result);
    file_release(file);
    return answered;
}

static int answer_path(struct folder *folder, struct exchange *exchange, struct folder_path *path)
{
    if (path->slash)
        return answer_index(folder, exchange, path);
    struct file *file = NULL;
    enum file_result result = open_file(folder, exchange, path->name, &file);
    int answered;
    if (result == FILE_FOUND)
        answered = answer_file(exchange, file);
    else if (result == FILE_IS_FOLDER)
        answered = redirect_to_slash(exchange);
    else
        answered = answer_error(exchange, result);
    file_release(file);
    return answered;
}

static int answer_request(struct folder *folder, struct exchange *exchange)
{
    struct span method = exchange->incoming.method;
    struct folder_path path;
    if (!span_equals(method, SPAN_LITERAL("GET")) && !span_equals(method, SPAN_LITERAL("HEAD")))
        return status_respond(exchange, 405, &FIELD("allow", "GET, HEAD"), 1);
    int result =
        folder_path_decode(exchange->incoming.path, folder->prefix, folder->dotfiles, &path);
    if (result < 0)
        return status_respond(exchange, result == HERALD_ERROR_INVALID ? 400 : 404, NULL, 0);
    return answer_path(folder, exchange, &path);
}

static void folder_start(struct handler *handler, struct exchange *exchange)
{
    /* Whatever failed: releasing an unfinished exchange aborts it. */
    (void)answer_request(CONTAINER_OF(handler, struct folder, base), exchange);
    exchange_release(exchange);
}

static void folder_destroy(struct handler *handler)
{
    struct folder *folder = CONTAINER_OF(handler, struct folder, base);
    file_cache_destroy(folder->cache);
    file_root_close(&folder->root);
    free(folder);
}

int folder_create(const struct folder_options *options, struct handler **handler)
{
    struct folder *folder = calloc(1, sizeof(*folder));
    if (folder == NULL)
        return HERALD_ERROR_NOMEM;
    *folder = (struct folder){
        .base = {.start = folder_start, .destroy = folder_destroy},
        .prefix = options->prefix,
        .index = options->index == NULL ? DEFAULT_INDEX : options->index,
        .dotfiles = options->dotfiles,
    };
    int result = file_root_open(&folder->root, options->root);
    if (result == 0) {
        folder->cache = file_cache_create(&folder->root);
        result = folder->cache == NULL ? HERALD_ERROR_NOMEM : 0;
    }
    if (result < 0) {
        file_root_close(&folder->root);
        free(folder);
        return result;
    }
    *handler = &folder->base;
    return 0;
}

int folder_send_path(struct exchange *exchange, const char *path)
{
    struct file *file = NULL;
    switch (file_open_path(path, &file)) {
    case FILE_FOUND:
        break;
    case FILE_BUSY:
        return HERALD_ERROR_NOMEM;
    case FILE_BROKEN:
    case FILE_FORBIDDEN:
        return HERALD_ERROR_IO;
    default:
        return HERALD_ERROR_NOT_FOUND;
    }
    struct body_source *source = file_source_create(&exchange->arena, file, 0, file->size);
    file_release(file);
    return source == NULL ? HERALD_ERROR_NOMEM : exchange_write_source(exchange, source);
}

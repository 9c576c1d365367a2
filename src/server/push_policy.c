#include "server/push_policy.h"

#include "http/link.h"
#include "http/media_type.h"
#include "http/uri.h"
#include "server/push_memory.h"
#include "server/push_target.h"
#include "server/server_private.h"

#include <stdlib.h>

static uint64_t diary_key(struct span authority, struct span path)
{
    uint64_t value = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < authority.length; i++)
        value = (value ^ authority.data[i]) * UINT64_C(1099511628211);
    for (size_t i = 0; i < path.length; i++)
        value = (value ^ path.data[i]) * UINT64_C(1099511628211);
    return value;
}

bool push_diary_has(const struct push_diary *diary, struct span authority, struct span path)
{
    uint64_t key = diary_key(authority, path);
    for (unsigned i = 0; i < diary->count; i++)
        if (diary->seen[i] == key)
            return true;
    return false;
}

void push_diary_note(struct push_diary *diary, struct span authority, struct span path)
{
    diary->seen[diary->next] = diary_key(authority, path);
    diary->next = (diary->next + 1) % PUSH_DIARY_MAXIMUM;
    if (diary->count < PUSH_DIARY_MAXIMUM)
        diary->count++;
}

static struct push_diary *diary_of(const struct exchange *exchange, bool make)
{
    struct connection *connection = connection_of(exchange);
    if (connection == NULL)
        return NULL;
    if (connection->diary == NULL && make)
        connection->diary = calloc(1, sizeof(*connection->diary));
    return connection->diary;
}

static void count_outcome(struct exchange *exchange, enum push_outcome outcome)
{
    struct server_counters *counters = server_counters_of(exchange);
    if (counters == NULL)
        return;
    if (outcome == PUSH_SKIPPED)
        counters->pushes_skipped++;
    else if (outcome == PUSH_HINTED)
        counters->hints++;
}

/* Returns PUSH_PUSHED, PUSH_SKIPPED (the client has it), HERALD_ERROR_UNSUPPORTED or _LIMIT where a
 * hint may help instead, or another negative code. */
static int try_push(struct exchange *exchange, struct span path, const struct fields *fields)
{
    const struct message *request = &exchange->incoming;
    if (!exchange_can_push(exchange))
        return HERALD_ERROR_UNSUPPORTED;
    struct push_diary *diary = diary_of(exchange, true);
    if (diary != NULL && push_diary_has(diary, request->authority, path)) {
        count_outcome(exchange, PUSH_SKIPPED);
        return PUSH_SKIPPED;
    }
    const struct message promised = {
        .version = request->version,
        .method = SPAN_LITERAL("GET"),
        .scheme = request->scheme,
        .authority = request->authority,
        .path = path,
        .fields = *fields,
        .content_length = CONTENT_LENGTH_UNKNOWN,
    };
    int result = exchange_push(exchange, &promised);
    if (result < 0)
        return result;
    if (diary != NULL)
        push_diary_note(diary, request->authority, path);
    return PUSH_PUSHED;
}

static bool takes_hints(const struct exchange *exchange)
{
    const struct message *request = &exchange->incoming;
    if (exchange->is_pushed || request->version == HTTP_1_0)
        return false;
    return request->version != HTTP_1_1 ||
           fields_find(&request->fields, KNOWN_SEC_FETCH_MODE) != NULL;
}

static int send_hint(struct exchange *exchange, const struct field *fields, size_t count)
{
    int result = exchange_inform(exchange, 103, fields, count);
    if (result < 0)
        return result;
    count_outcome(exchange, PUSH_HINTED);
    return PUSH_HINTED;
}

/* What decides which variant of a resource the client would get. */
static int negotiation_fields(struct exchange *exchange, struct fields *fields)
{
    static const enum known_name names[] = {KNOWN_ACCEPT_ENCODING, KNOWN_ACCEPT_LANGUAGE,
                                            KNOWN_USER_AGENT};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct field *field = fields_find(&exchange->incoming.fields, names[i]);
        int result = field == NULL ? 0 : fields_add(fields, &exchange->arena, *field);
        if (result < 0)
            return result;
    }
    return 0;
}

struct wishes {
    struct exchange *exchange;
    enum push_mode mode;
    struct fields negotiation;
    unsigned links, pushed, unpushed; /* unpushed: left for a hint */
};

/* One link. Returns 0, or a negative code that ends the walk. */
static int consider_link(struct wishes *wishes, const struct link_header *link)
{
    bool preload = link_has_relation(link, SPAN_LITERAL("preload")) ||
                   link_has_relation(link, SPAN_LITERAL("modulepreload"));
    struct exchange *exchange = wishes->exchange;
    struct span path;
    if (!preload)
        return 0;
    int result = push_resolve(&exchange->arena, &exchange->incoming, link->target, &path);
    if (result == HERALD_ERROR_NOMEM)
        return result;
    if (result == 1 && !link->nopush && wishes->mode != PUSH_HINT) {
        result = try_push(exchange, path, &wishes->negotiation);
        if (result >= 0) {
            wishes->pushed += result == PUSH_PUSHED;
            return 0;
        }
        if (result == HERALD_ERROR_NOMEM || result == HERALD_ERROR_CLOSED)
            return result;
    }
    wishes->unpushed += !link->push_only;
    return 0;
}

static int consider_value(struct wishes *wishes, struct span value)
{
    struct link_header link;
    int result = 0;
    while (result == 0 && wishes->links < PUSH_LINKS_MAXIMUM && link_next(&value, &link) == 1) {
        wishes->links++;
        result = consider_link(wishes, &link);
    }
    return result;
}

static bool is_link(const struct field *field)
{
    /* As the application wrote it: Django's is "Link". */
    return span_equals_ignoring_case(field->name, SPAN_LITERAL("link"));
}

/* Acts on the Link fields. Returns how many links led to something, or a negative code. */
static int act_on_links(struct exchange *exchange, enum push_mode mode, const struct field *fields,
                        size_t count)
{
    struct wishes wishes = {.exchange = exchange, .mode = mode};
    struct field hints[PUSH_LINKS_MAXIMUM];
    size_t hint_count = 0;
    int result = negotiation_fields(exchange, &wishes.negotiation);
    for (size_t i = 0; i < count && result == 0; i++) {
        if (!is_link(&fields[i]))
            continue;
        unsigned before = wishes.unpushed;
        result = consider_value(&wishes, fields[i].value);
        if (wishes.unpushed > before && hint_count < PUSH_LINKS_MAXIMUM)
            hints[hint_count++] = fields[i];
    }
    if (result < 0)
        return result;
    /* One 103 is enough: what the application or the memory has hinted is known to the client. */
    if (hint_count > 0 && mode != PUSH_ONLY && exchange->informational_sent == 0 &&
        takes_hints(exchange))
        result = send_hint(exchange, hints, hint_count);
    return result < 0 ? result
                      : (int)(wishes.pushed + (result == PUSH_HINTED ? wishes.unpushed : 0));
}

static bool is_get(const struct exchange *exchange)
{
    return span_equals(exchange->incoming.method, SPAN_LITERAL("GET"));
}

static struct span path_without_query(const struct exchange *exchange)
{
    struct span path, query;
    uri_split_query(exchange->incoming.path, &path, &query);
    return path;
}

/* What one visitor got may be shown to the next only if it is nobody's own. */
static bool mentions(struct span text, struct span word)
{
    for (size_t i = 0; i + word.length <= text.length; i++)
        if (span_equals_ignoring_case(span_slice(text, i, word.length), word))
            return true;
    return false;
}

static bool may_be_shared(const struct exchange *exchange, const struct field *fields, size_t count)
{
    if (fields_find(&exchange->incoming.fields, KNOWN_AUTHORIZATION) != NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (span_equals_ignoring_case(fields[i].name, SPAN_LITERAL("set-cookie")))
            return false;
        if (span_equals_ignoring_case(fields[i].name, SPAN_LITERAL("cache-control")) &&
            (mentions(fields[i].value, SPAN_LITERAL("private")) ||
             mentions(fields[i].value, SPAN_LITERAL("no-store"))))
            return false;
    }
    return true;
}

static void learn(struct exchange *exchange, const struct field *fields, size_t count)
{
    struct server *server = server_of(exchange);
    struct buf links;
    if (server == NULL || server->push_memory == NULL || !may_be_shared(exchange, fields, count))
        return;
    buf_init(&links, PUSH_MEMORY_LINK_BYTES, NULL);
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++) {
        if (!is_link(&fields[i]) || !mentions(fields[i].value, SPAN_LITERAL("preload")))
            continue;
        if (buf_length(&links) > 0)
            result = buf_append_text(&links, ", ");
        if (result == 0)
            result = buf_append_span(&links, fields[i].value);
    }
    /* Best effort: without memory the next visitor gets no hint. */
    if (result == 0)
        (void)push_memory_learn(server->push_memory, exchange->incoming.authority,
                                path_without_query(exchange), buf_span(&links));
    buf_free(&links);
}

int push_policy_response(struct exchange *exchange, unsigned status, const struct field *fields,
                         size_t count)
{
    const struct serve_config *config = server_config_of(exchange);
    if (config == NULL || config->push == PUSH_OFF || exchange->is_pushed || !is_get(exchange))
        return 0;
    if (status == 200)
        learn(exchange, fields, count);
    bool any = false;
    for (size_t i = 0; i < count && !any; i++)
        any = is_link(&fields[i]);
    return any ? act_on_links(exchange, config->push, fields, count) : 0;
}

static int hint_path(struct exchange *exchange, struct span path)
{
    struct span opened, link;
    if (!takes_hints(exchange))
        return PUSH_SKIPPED;
    int result = push_join(&exchange->arena, SPAN_LITERAL("<"), path, &opened);
    if (result == 1)
        result = push_join(&exchange->arena, opened, SPAN_LITERAL(">; rel=preload"), &link);
    if (result < 0)
        return result;
    struct field field = {.name = SPAN_LITERAL("link"), .value = link, .known = KNOWN_LINK};
    struct span as = media_type_preload_as(path);
    if (as.length > 0) {
        struct span with_as;
        result = push_join(&exchange->arena, link, SPAN_LITERAL("; as="), &with_as);
        if (result == 1)
            result = push_join(&exchange->arena, with_as, as, &field.value);
        if (result < 0)
            return result;
    }
    return send_hint(exchange, &field, 1);
}

int push_policy_push(struct exchange *exchange, struct span path, const struct field *fields,
                     size_t count)
{
    const struct serve_config *config = server_config_of(exchange);
    if (path.length == 0 || path.data[0] != '/' || !push_path_is_plain(path) ||
        span_starts_with(path, SPAN_LITERAL("//")))
        return HERALD_ERROR_INVALID;
    if (exchange->closed)
        return HERALD_ERROR_CLOSED;
    const struct fields list = {.items = (struct field *)fields, .count = count, .capacity = count};
    int result = try_push(exchange, path, &list);
    bool no_room = result == HERALD_ERROR_UNSUPPORTED || result == HERALD_ERROR_LIMIT;
    if (!no_room)
        return result;
    if (exchange->head_queued)
        return HERALD_ERROR_STATE;
    if (config != NULL && !config->push_fallback)
        return PUSH_SKIPPED;
    result = hint_path(exchange, path);
    return result == HERALD_ERROR_LIMIT || result == HERALD_ERROR_UNSUPPORTED ? PUSH_SKIPPED
                                                                              : result;
}

void push_policy_request(struct exchange *exchange)
{
    struct server *server = server_of(exchange);
    if (server == NULL || server->config->push == PUSH_OFF || !is_get(exchange))
        return;
    struct push_diary *diary = diary_of(exchange, false);
    if (diary != NULL)
        push_diary_note(diary, exchange->incoming.authority, exchange->incoming.path);
    if (server->push_memory == NULL)
        return;
    struct span links = push_memory_find(server->push_memory, exchange->incoming.authority,
                                         path_without_query(exchange));
    if (links.length == 0)
        return;
    const struct field field = {.name = SPAN_LITERAL("link"), .value = links, .known = KNOWN_LINK};
    (void)act_on_links(exchange, server->config->push, &field, 1);
}

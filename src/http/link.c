#include "http/link.h"
#include "base/err.h"
#include "http/field_syntax.h"

static bool take(struct span *text, uint8_t byte)
{
    if (text->length == 0 || text->data[0] != byte)
        return false;
    *text = span_slice(*text, 1, text->length);
    return true;
}

static void skip_blanks(struct span *text)
{
    while (take(text, ' ') || take(text, '\t'))
        ;
}

static struct span take_until(struct span *text, bool (*stops)(uint8_t byte))
{
    size_t length = 0;

    while (length < text->length && !stops(text->data[length]))
        length++;
    struct span taken = span_slice(*text, 0, length);
    *text = span_slice(*text, length, text->length);
    return taken;
}

static bool is_no_tchar(uint8_t byte)
{
    return !field_byte_is(byte, FIELD_BYTE_TOKEN);
}

/* Unquoted values are often more than tokens (rel=http://...): they end where a parameter or a link
 * does. */
static bool ends_value(uint8_t byte)
{
    return byte == ';' || byte == ',' || byte == ' ' || byte == '\t' || byte == '"';
}

static bool ends_target(uint8_t byte)
{
    return byte == '>' || byte == '<' || byte <= ' ';
}

/* The cursor is behind the opening quote. */
static int take_quoted(struct span *text, struct span *value)
{
    for (size_t i = 0; i < text->length; i++) {
        if (text->data[i] == '"') {
            *value = span_slice(*text, 0, i);
            *text = span_slice(*text, i + 1, text->length);
            return 0;
        }
        i += text->data[i] == '\\';
    }
    return HERALD_ERROR_INVALID;
}

static void set_parameter(struct link_header *link, struct span name, struct span value)
{
    const struct {
        struct span name;
        struct span *slot;
    } known[] = {
        {SPAN_LITERAL("rel"), &link->rel},
        {SPAN_LITERAL("as"), &link->as},
        {SPAN_LITERAL("type"), &link->type},
        {SPAN_LITERAL("media"), &link->media},
        {SPAN_LITERAL("title"), &link->title},
        {SPAN_LITERAL("anchor"), &link->anchor},
        {SPAN_LITERAL("hreflang"), &link->hreflang},
        {SPAN_LITERAL("crossorigin"), &link->crossorigin},
        {SPAN_LITERAL("fetchpriority"), &link->fetchpriority},
        {SPAN_LITERAL("imagesrcset"), &link->imagesrcset},
        {SPAN_LITERAL("imagesizes"), &link->imagesizes},
        {SPAN_LITERAL("integrity"), &link->integrity},
        {SPAN_LITERAL("referrerpolicy"), &link->referrerpolicy},
    };

    if (span_equals_ignoring_case(name, SPAN_LITERAL("nopush")))
        link->nopush = true;
    else if (span_equals_ignoring_case(name, SPAN_LITERAL("x-http2-push-only")))
        link->push_only = true;
    else if (span_equals_ignoring_case(name, SPAN_LITERAL("crossorigin")))
        link->has_crossorigin = true;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        /* Set, an empty value too, is told from absent by the pointer. */
        if (span_equals_ignoring_case(name, known[i].name) && known[i].slot->data == NULL)
            *known[i].slot = value;
    }
}

static int take_parameter(struct span *rest, struct link_header *link)
{
    struct span value = SPAN_EMPTY;

    skip_blanks(rest);
    struct span name = take_until(rest, is_no_tchar);
    if (name.length == 0)
        return 0; /* "; ," and a semicolon at the end are common */
    skip_blanks(rest);
    if (take(rest, '=')) {
        skip_blanks(rest);
        if (take(rest, '"')) {
            if (take_quoted(rest, &value) != 0)
                return HERALD_ERROR_INVALID;
        } else {
            value = take_until(rest, ends_value);
        }
    }
    set_parameter(link, name, value);
    return 0;
}

int link_next(struct span *rest, struct link_header *link)
{
    *link = (struct link_header){0};
    do
        skip_blanks(rest);
    while (take(rest, ','));
    if (rest->length == 0)
        return 0;
    if (!take(rest, '<'))
        return HERALD_ERROR_INVALID;
    link->target = take_until(rest, ends_target);
    if (!take(rest, '>'))
        return HERALD_ERROR_INVALID;
    skip_blanks(rest);
    while (take(rest, ';')) {
        if (take_parameter(rest, link) != 0)
            return HERALD_ERROR_INVALID;
        skip_blanks(rest);
    }
    return rest->length == 0 || rest->data[0] == ',' ? 1 : HERALD_ERROR_INVALID;
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

bool link_has_relation(const struct link_header *link, struct span relation)
{
    struct span rest = link->rel;

    while (rest.length != 0) {
        struct span type = take_until(&rest, is_blank);
        if (span_equals_ignoring_case(type, relation))
            return true;
        rest = span_slice(rest, 1, rest.length);
    }
    return false;
}

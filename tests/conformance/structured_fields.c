/* The shared cases for structured fields: each file of a folder is a list of texts, what they mean
 * and how that is written. Parses each text, compares, writes the meaning again, compares. */
#include "base/err.h"
#include "http/sfv.h"
#include <dirent.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned passed, failed, allowed;

/* ---- from text to JSON ---- */

static json_t *base32(const uint8_t *bytes, size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    char *text = calloc(length / 5 + 2, 8);
    size_t used = 0;

    for (size_t i = 0; i < length; i += 5) {
        static const unsigned digits_of[] = {0, 2, 4, 5, 7, 8};
        size_t here = length - i < 5 ? length - i : 5;
        uint64_t group = 0;
        for (size_t j = 0; j < 5; j++)
            group = group << 8 | (j < here ? bytes[i + j] : 0);
        for (unsigned j = 0; j < 8; j++)
            text[used++] = j < digits_of[here] ? digits[group >> (35 - 5 * j) & 31] : '=';
    }
    json_t *result = json_stringn(text, used);
    free(text);
    return result;
}

static json_t *typed(const char *type, json_t *value)
{
    return json_pack("{s:s, s:o}", "__type", type, "value", value);
}

static json_t *bare_to_json(const struct sfv_item *item)
{
    uint8_t *bytes = malloc(item->text.length + 1);
    size_t length = sfv_decode(item, bytes);
    json_t *result = NULL;

    switch (item->type) {
    case SFV_INTEGER:
        result = json_integer(item->integer);
        break;
    case SFV_DECIMAL:
        result = json_real((double)item->integer / 1000.0);
        break;
    case SFV_BOOLEAN:
        result = json_boolean(item->boolean);
        break;
    case SFV_STRING:
        result = json_stringn((const char *)bytes, length);
        break;
    case SFV_TOKEN:
        result = typed("token", json_stringn((const char *)bytes, length));
        break;
    case SFV_BYTES:
        result = typed("binary", base32(bytes, length));
        break;
    case SFV_DATE:
        result = typed("date", json_integer(item->integer));
        break;
    case SFV_DISPLAY_STRING:
        result = typed("displaystring", json_stringn((const char *)bytes, length));
        break;
    case SFV_INNER_LIST:
        break;
    }
    free(bytes);
    return result;
}

/* Appends [key, value], or replaces the value of an earlier pair with that key. */
static void put_pair(json_t *pairs, struct span key, json_t *value)
{
    json_t *pair;
    size_t i;

    json_array_foreach(pairs, i, pair)
    {
        json_t *name = json_array_get(pair, 0);
        if (span_equals(span_make(json_string_value(name), json_string_length(name)), key)) {
            json_array_set_new(pair, 1, value);
            return;
        }
    }
    json_array_append_new(
        pairs, json_pack("[o, o]", json_stringn((const char *)key.data, key.length), value));
}

static json_t *parameters_to_json(struct sfv_parser *parser)
{
    json_t *result = json_array();
    struct sfv_item item;
    struct span key;

    while (sfv_next_parameter(parser, &key, &item) > 0)
        put_pair(result, key, bare_to_json(&item));
    return result;
}

static json_t *value_to_json(struct sfv_parser *parser, const struct sfv_item *item)
{
    if (item->type != SFV_INNER_LIST) {
        json_t *bare = bare_to_json(item);
        return json_pack("[o, o]", bare, parameters_to_json(parser));
    }
    json_t *list = json_array();
    struct sfv_item inner;
    while (sfv_next_inner(parser, &inner) > 0)
        json_array_append_new(list, value_to_json(parser, &inner));
    return json_pack("[o, o]", list, parameters_to_json(parser));
}

/* NULL when the text is refused. */
static json_t *parse(struct span text, const char *type)
{
    struct sfv_parser parser;
    struct sfv_item item;
    struct span key;
    json_t *result = json_array();
    int state;

    sfv_parser_init(&parser, text);
    if (strcmp(type, "dictionary") == 0) {
        while ((state = sfv_next_member(&parser, &key, &item)) > 0)
            put_pair(result, key, value_to_json(&parser, &item));
    } else if (strcmp(type, "list") == 0) {
        while ((state = sfv_next_element(&parser, &item)) > 0)
            json_array_append_new(result, value_to_json(&parser, &item));
    } else {
        state = sfv_next_item(&parser, &item);
        if (state > 0) {
            json_decref(result);
            result = value_to_json(&parser, &item);
            state = sfv_next_item(&parser, &item);
        }
    }
    if (state < 0) {
        json_decref(result);
        return NULL;
    }
    return result;
}

/* ---- from JSON to text ---- */

static size_t from_base32(struct span text, uint8_t *bytes)
{
    uint64_t bits = 0;
    unsigned count = 0;
    size_t length = 0;

    for (size_t i = 0; i < text.length && text.data[i] != '='; i++) {
        uint8_t byte = text.data[i];
        bits = bits << 5 | (uint64_t)(byte >= 'A' ? byte - 'A' : byte - '2' + 26);
        count += 5;
        if (count >= 8) {
            count -= 8;
            bytes[length++] = (uint8_t)(bits >> count);
        }
    }
    return length;
}

static int write_bare(struct buf *out, json_t *value)
{
    const char *type = json_string_value(json_object_get(value, "__type"));
    json_t *inside = type == NULL ? value : json_object_get(value, "value");
    struct span text = span_make(json_string_value(inside), json_string_length(inside));

    if (json_is_boolean(value))
        return sfv_write_boolean(out, json_is_true(value));
    if (json_is_integer(value))
        return sfv_write_integer(out, json_integer_value(value));
    if (json_is_real(value))
        return sfv_write_decimal(out, llround(json_real_value(value) * 1000.0));
    if (type == NULL)
        return sfv_write_string(out, text);
    if (strcmp(type, "token") == 0)
        return sfv_write_token(out, text);
    if (strcmp(type, "date") == 0)
        return sfv_write_date(out, json_integer_value(inside));
    if (strcmp(type, "displaystring") == 0)
        return sfv_write_display_string(out, text);
    uint8_t *bytes = malloc(text.length + 1);
    int error = sfv_write_bytes(out, span_make(bytes, from_base32(text, bytes)));
    free(bytes);
    return error;
}

static int write_pair(struct buf *out, json_t *pair)
{
    json_t *key = json_array_get(pair, 0);

    return sfv_write_key(out, span_make(json_string_value(key), json_string_length(key)));
}

static int write_parameters(struct buf *out, json_t *parameters)
{
    json_t *pair;
    size_t i;
    int error = 0;

    json_array_foreach(parameters, i, pair)
    {
        json_t *value = json_array_get(pair, 1);
        error = error != 0 ? error : buf_append_text(out, ";");
        error = error != 0 ? error : write_pair(out, pair);
        if (!json_is_true(value)) {
            error = error != 0 ? error : buf_append_text(out, "=");
            error = error != 0 ? error : write_bare(out, value);
        }
    }
    return error;
}

static int write_value(struct buf *out, json_t *value)
{
    json_t *first = json_array_get(value, 0);
    json_t *inner;
    size_t i;
    int error = 0;

    if (!json_is_array(first)) {
        error = write_bare(out, first);
    } else {
        error = buf_append_text(out, "(");
        json_array_foreach(first, i, inner)
        {
            error = error != 0 ? error : buf_append_text(out, i == 0 ? "" : " ");
            error = error != 0 ? error : write_value(out, inner);
        }
        error = error != 0 ? error : buf_append_text(out, ")");
    }
    return error != 0 ? error : write_parameters(out, json_array_get(value, 1));
}

static int write_field(struct buf *out, json_t *field, const char *type)
{
    json_t *member;
    size_t i;
    int error = 0;

    if (strcmp(type, "item") == 0)
        return write_value(out, field);
    json_array_foreach(field, i, member)
    {
        error = error != 0 ? error : buf_append_text(out, i == 0 ? "" : ", ");
        if (strcmp(type, "list") == 0) {
            error = error != 0 ? error : write_value(out, member);
            continue;
        }
        json_t *value = json_array_get(member, 1);
        error = error != 0 ? error : write_pair(out, member);
        if (json_is_true(json_array_get(value, 0))) {
            error = error != 0 ? error : write_parameters(out, json_array_get(value, 1));
        } else {
            error = error != 0 ? error : buf_append_text(out, "=");
            error = error != 0 ? error : write_value(out, value);
        }
    }
    return error;
}

/* ---- cases ---- */

/* The lines of a field in one (RFC 9110 section 5.3). */
static void join_lines(struct buf *out, json_t *lines)
{
    json_t *line;
    size_t i;

    json_array_foreach(lines, i, line)
    {
        buf_append_text(out, i == 0 ? "" : ", ");
        buf_append(out, json_string_value(line), json_string_length(line));
    }
}

static const char *judge(json_t *test)
{
    const char *type = json_string_value(json_object_get(test, "header_type"));
    json_t *expected = json_object_get(test, "expected");
    json_t *canonical = json_object_get(test, "canonical");
    bool must_fail = json_is_true(json_object_get(test, "must_fail"));
    const char *fault = NULL;
    struct buf raw, wanted, written;

    buf_init(&raw, 1 << 20, NULL);
    buf_init(&wanted, 1 << 20, NULL);
    buf_init(&written, 1 << 20, NULL);
    join_lines(&raw, json_object_get(test, "raw"));
    join_lines(&wanted, canonical != NULL ? canonical : json_object_get(test, "raw"));

    json_t *parsed = parse(buf_span(&raw), type);
    if (must_fail) {
        fault = parsed == NULL ? NULL : "accepted";
    } else if (parsed == NULL) {
        fault = "refused";
        if (json_is_true(json_object_get(test, "can_fail"))) {
            allowed++;
            fault = NULL;
        }
    } else if (!json_equal(parsed, expected)) {
        fault = "understood differently";
    } else if (write_field(&written, expected, type) != 0 ||
               !span_equals(buf_span(&written), buf_span(&wanted))) {
        fault = "written differently";
    }
    if (fault != NULL && parsed != NULL)
        printf("  got %s, wrote %.*s\n", json_dumps(parsed, JSON_COMPACT),
               SPAN_ARGUMENTS(buf_span(&written)));
    json_decref(parsed);
    buf_free(&raw);
    buf_free(&wanted);
    buf_free(&written);
    return fault;
}

static int run_file(const char *folder, const char *name)
{
    char path[8192];
    json_error_t error;
    json_t *test;
    size_t i;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    json_t *tests = json_load_file(path, JSON_ALLOW_NUL, &error);
    if (tests == NULL) {
        printf("%s: %s\n", path, error.text);
        return -1;
    }
    json_array_foreach(tests, i, test)
    {
        const char *fault = judge(test);
        if (fault != NULL) {
            printf("%s: \"%s\": %s\n", name, json_string_value(json_object_get(test, "name")),
                   fault);
            failed++;
        } else {
            passed++;
        }
    }
    json_decref(tests);
    return 0;
}

int main(int count, char **arguments)
{
    const char *folder = count > 1 ? arguments[1] : "../shared/corpora/structured-fields";
    const char *root = getenv("HERALD_CORPORA");
    char path[4096];
    struct dirent *entry;
    int result = 0;

    if (root != NULL) {
        snprintf(path, sizeof(path), "%s/structured-fields", root);
        folder = path;
    }
    DIR *directory = opendir(folder);
    if (directory == NULL) {
        printf("skipped: no structured-fields cases in %s (set HERALD_CORPORA)\n", folder);
        return 77;
    }
    while ((entry = readdir(directory)) != NULL) {
        size_t length = strlen(entry->d_name);
        if (length > 5 && strcmp(entry->d_name + length - 5, ".json") == 0 &&
            run_file(folder, entry->d_name) != 0)
            result = 1;
    }
    closedir(directory);
    printf("structured fields: %u passed (%u of them refused where that is allowed), %u failed\n",
           passed, allowed, failed);
    return result != 0 || failed != 0 || passed == 0;
}

/* All HPACK stories (the hpack-test-case corpora): every block decodes to its fields, what our
 * encoder makes of the same fields decodes again, here and in libnghttp2, and no story comes out
 * larger than from libnghttp2's encoder.
 *
 *     hpack_stories FOLDER      exit status 0, 1, or 77 (skipped) when the folder is not there
 */
#include "hpack/hpack.h"
#include <dirent.h>
#include <jansson.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>

#define SKIPPED       77
#define FIELDS_MOST   256
#define BLOCK_MOST    65536
#define WIRE_HEX_MOST (2 * BLOCK_MOST)

struct fields {
    struct hpack_field list[FIELDS_MOST];
    size_t count;
};

struct totals {
    unsigned long files, blocks, fields, plain, ours, theirs;
};

/* What a decoder must produce, and how far it got. */
struct expectation {
    const struct fields *fields;
    size_t met;
};

static int expect_field(void *user, const struct hpack_field *field)
{
    struct expectation *expectation = user;
    if (expectation->met == expectation->fields->count)
        return 1;
    const struct hpack_field *expected = &expectation->fields->list[expectation->met++];
    return !span_equals(field->name, expected->name) || !span_equals(field->value, expected->value);
}

static bool decode_and_compare(struct hpack_decoder *decoder, const uint8_t *block, size_t length,
                               const struct fields *fields)
{
    struct expectation expectation = {fields, 0};
    size_t consumed;
    int result = hpack_decode(decoder, block, length, true, &consumed, expect_field, &expectation);
    return result == 0 && consumed == length && expectation.met == fields->count;
}

static bool inflate_and_compare(nghttp2_hd_inflater *inflater, const uint8_t *block, size_t length,
                                const struct fields *fields)
{
    struct expectation expectation = {fields, 0};
    const uint8_t *at = block, *end = block + length;
    for (;;) {
        nghttp2_nv nv;
        int flags = 0;
        ssize_t used = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, at, (size_t)(end - at), 1);
        if (used < 0)
            return false;
        at += used;
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
            struct hpack_field field = {
                .name = span_make(nv.name, nv.namelen),
                .value = span_make(nv.value, nv.valuelen),
            };
            if (expect_field(&expectation, &field) != 0)
                return false;
        }
        if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0)
            break;
    }
    nghttp2_hd_inflate_end_headers(inflater);
    return at == end && expectation.met == fields->count;
}

static bool read_fields(json_t *headers, struct fields *fields)
{
    size_t index;
    json_t *header, *value;
    const char *name;
    fields->count = 0;
    json_array_foreach(headers, index, header)
    {
        json_object_foreach(header, name, value)
        {
            if (fields->count == FIELDS_MOST || !json_is_string(value))
                return false;
            fields->list[fields->count++] = (struct hpack_field){
                .name = span_from_text(name),
                .value = span_make(json_string_value(value), json_string_length(value)),
            };
        }
    }
    return true;
}

static int hex_digit(char digit)
{
    return digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;
}

static size_t read_wire(json_t *wire, uint8_t *block)
{
    const char *text = json_string_value(wire);
    size_t length = json_string_length(wire);
    if (length > WIRE_HEX_MOST)
        return 0;
    for (size_t at = 0; at + 1 < length; at += 2)
        block[at / 2] = (uint8_t)(hex_digit(text[at]) << 4 | hex_digit(text[at + 1]));
    return length / 2;
}

/* The story as its author encoded it. */
static bool decode_story(json_t *cases, struct totals *totals)
{
    static uint8_t block[BLOCK_MOST];
    struct hpack_decoder decoder;
    struct fields fields;
    bool good = true;
    size_t index;
    json_t *item;
    hpack_decoder_init(&decoder, HPACK_TABLE_DEFAULT, NULL);
    json_array_foreach(cases, index, item)
    {
        json_t *size = json_object_get(item, "header_table_size");
        if (size != NULL)
            hpack_decoder_set_maximum(&decoder, (uint32_t)json_integer_value(size));
        size_t length = read_wire(json_object_get(item, "wire"), block);
        good = read_fields(json_object_get(item, "headers"), &fields) &&
               decode_and_compare(&decoder, block, length, &fields);
        if (!good)
            break;
        totals->blocks++;
        totals->fields += fields.count;
    }
    hpack_decoder_free(&decoder);
    return good;
}

static size_t encode_block(struct hpack_encoder *encoder, const struct fields *fields,
                           uint8_t *block)
{
    size_t length = 0;
    for (size_t at = 0; at < fields->count; at++) {
        int written =
            hpack_encode_field(encoder, &fields->list[at], block + length, BLOCK_MOST - length);
        if (written < 0)
            return 0;
        length += (size_t)written;
    }
    return length;
}

static size_t deflated_length(nghttp2_hd_deflater *deflater, const struct fields *fields)
{
    static uint8_t block[BLOCK_MOST];
    nghttp2_nv list[FIELDS_MOST];
    for (size_t at = 0; at < fields->count; at++) {
        const struct hpack_field *field = &fields->list[at];
        list[at] = (nghttp2_nv){
            .name = (uint8_t *)field->name.data,
            .value = (uint8_t *)field->value.data,
            .namelen = field->name.length,
            .valuelen = field->value.length,
        };
    }
    ssize_t length = nghttp2_hd_deflate_hd(deflater, block, sizeof(block), list, fields->count);
    return length < 0 ? 0 : (size_t)length;
}

/* The story's fields through our encoder, both decoders, and the other encoder. */
static bool encode_story(json_t *cases, struct totals *totals)
{
    static uint8_t block[BLOCK_MOST];
    struct hpack_encoder encoder;
    struct hpack_decoder decoder;
    nghttp2_hd_inflater *inflater;
    nghttp2_hd_deflater *deflater;
    struct fields fields;
    size_t index;
    json_t *item;
    if (nghttp2_hd_inflate_new(&inflater) != 0 ||
        nghttp2_hd_deflate_new(&deflater, HPACK_TABLE_DEFAULT) != 0)
        return false;
    hpack_encoder_init(&encoder, HPACK_TABLE_DEFAULT, NULL);
    hpack_decoder_init(&decoder, HPACK_TABLE_DEFAULT, NULL);
    bool good = true;
    json_array_foreach(cases, index, item)
    {
        good = read_fields(json_object_get(item, "headers"), &fields);
        size_t length = good ? encode_block(&encoder, &fields, block) : 0;
        good = good && decode_and_compare(&decoder, block, length, &fields) &&
               inflate_and_compare(inflater, block, length, &fields);
        if (!good)
            break;
        totals->ours += length;
        totals->theirs += deflated_length(deflater, &fields);
        totals->blocks++;
        totals->fields += fields.count;
        for (size_t at = 0; at < fields.count; at++)
            totals->plain += fields.list[at].name.length + fields.list[at].value.length;
    }
    hpack_encoder_free(&encoder);
    hpack_decoder_free(&decoder);
    nghttp2_hd_inflate_del(inflater);
    nghttp2_hd_deflate_del(deflater);
    return good;
}

static bool encode_and_judge(const char *path, json_t *cases, struct totals *totals)
{
    struct totals before = *totals;
    if (!encode_story(cases, totals)) {
        fprintf(stderr, "%s: our encoding of it does not decode alike\n", path);
        return false;
    }
    unsigned long ours = totals->ours - before.ours, theirs = totals->theirs - before.theirs;
    if (ours > theirs)
        fprintf(stderr, "%s: %lu bytes, libnghttp2 %lu\n", path, ours, theirs);
    return ours <= theirs;
}

static bool run_story(const char *path, struct totals *totals)
{
    json_error_t error;
    json_t *story = json_load_file(path, 0, &error);
    json_t *cases = json_object_get(story, "cases");
    bool good = json_is_array(cases);
    if (good && json_object_get(json_array_get(cases, 0), "wire") != NULL) {
        good = decode_story(cases, totals);
        if (!good)
            fprintf(stderr, "%s: decoding differs in block %lu of its folder\n", path,
                    totals->blocks);
    } else if (good) {
        good = encode_and_judge(path, cases, totals);
    } else {
        fprintf(stderr, "%s: not a story\n", path);
    }
    totals->files++;
    json_decref(story);
    return good;
}

static int story_only(const struct dirent *entry)
{
    return strncmp(entry->d_name, "story_", 6) == 0;
}

static int visible_only(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void free_names(struct dirent **names, int count)
{
    for (int at = 0; at < count; at++)
        free(names[at]);
    free(names);
}

static bool run_folder(const char *root, const char *folder, unsigned long *stories)
{
    char path[4096];
    struct dirent **names;
    struct totals totals = {0};
    bool good = true;
    snprintf(path, sizeof(path), "%s/%s", root, folder);
    int count = scandir(path, &names, story_only, alphasort);
    if (count < 0)
        return true; /* a licence, a readme */
    for (int at = 0; at < count; at++) {
        snprintf(path, sizeof(path), "%s/%s/%s", root, folder, names[at]->d_name);
        good = run_story(path, &totals) && good;
    }
    free_names(names, count);
    printf("%s: %lu stories, %lu blocks, %lu fields", folder, totals.files, totals.blocks,
           totals.fields);
    if (totals.theirs > 0)
        printf("; %lu bytes of fields in %lu bytes, nghttp2 %lu", totals.plain, totals.ours,
               totals.theirs);
    printf("%s\n", good ? "" : ": FAILED");
    *stories += totals.files;
    return good;
}

int main(int count, char **arguments)
{
    if (count != 2) {
        fprintf(stderr, "usage: hpack_stories FOLDER\n");
        return 2;
    }
    struct dirent **names;
    int folders = scandir(arguments[1], &names, visible_only, alphasort);
    if (folders < 0) {
        printf("skipped: the HPACK stories are not at %s\n", arguments[1]);
        return SKIPPED;
    }
    bool good = true;
    unsigned long stories = 0;
    for (int at = 0; at < folders; at++)
        good = run_folder(arguments[1], names[at]->d_name, &stories) && good;
    free_names(names, folders);
    if (stories == 0) {
        printf("skipped: no HPACK stories in %s\n", arguments[1]);
        return SKIPPED;
    }
    return good ? 0 : 1;
}

/* The chunked decoder against a model that looks at the whole input at once: same verdict, same
 * data, however the input is cut. */
#include "h1/chunked.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            __builtin_trap();                                                                      \
    } while (0)

enum { MODEL_MORE, MODEL_LAST, MODEL_BAD };

struct model {
    const uint8_t *at, *end;
    uint8_t data[4096];
    size_t length;
};

static int is_tchar(int byte)
{
    return byte > 0 && strchr("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
                              byte) != NULL;
}

static int is_blank(int byte)
{
    return byte == ' ' || byte == '\t';
}

static void skip_blanks(struct model *model)
{
    while (model->at < model->end && is_blank(*model->at))
        model->at++;
}

static int read_token(struct model *model)
{
    const uint8_t *start = model->at;

    while (model->at < model->end && is_tchar(*model->at))
        model->at++;
    if (model->at == model->end)
        return MODEL_MORE;
    return model->at == start ? MODEL_BAD : MODEL_LAST;
}

static int read_quoted(struct model *model)
{
    for (model->at++; model->at < model->end; model->at++) {
        int byte = *model->at;

        if (byte == '"') {
            model->at++;
            return MODEL_LAST;
        }
        if (byte == '\\' && ++model->at == model->end)
            return MODEL_MORE;
        byte = *model->at;
        if ((byte < ' ' && byte != '\t') || byte == 0x7f)
            return MODEL_BAD;
    }
    return MODEL_MORE;
}

/* *( BWS ";" BWS name [ BWS "=" BWS value ] ) up to CR; blanks before CR are refused. */
static int read_extensions(struct model *model)
{
    for (;;) {
        const uint8_t *start = model->at;
        int result;

        skip_blanks(model);
        if (model->at == model->end)
            return MODEL_MORE;
        if (*model->at == '\r')
            return model->at == start ? MODEL_LAST : MODEL_BAD;
        if (*model->at++ != ';')
            return MODEL_BAD;
        skip_blanks(model);
        if (model->at == model->end)
            return MODEL_MORE;
        result = read_token(model);
        if (result != MODEL_LAST)
            return result;
        start = model->at;
        skip_blanks(model);
        if (model->at == model->end)
            return MODEL_MORE;
        if (*model->at != '=') {
            model->at = start;
            continue;
        }
        model->at++;
        skip_blanks(model);
        if (model->at == model->end)
            return MODEL_MORE;
        result = *model->at == '"' ? read_quoted(model) : read_token(model);
        if (result != MODEL_LAST)
            return result;
    }
}

static int expect(struct model *model, const char *text)
{
    for (; *text != '\0'; text++) {
        if (model->at == model->end)
            return MODEL_MORE;
        if (*model->at++ != (uint8_t)*text)
            return MODEL_BAD;
    }
    return MODEL_LAST;
}

static int read_size(struct model *model, uint64_t *size)
{
    unsigned digits = 0;

    *size = 0;
    for (; model->at < model->end; model->at++, digits++) {
        int byte = *model->at;
        unsigned value;

        if (byte >= '0' && byte <= '9')
            value = (unsigned)(byte - '0');
        else if ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f')
            value = (unsigned)((byte | 0x20) - 'a' + 10);
        else
            return digits == 0 ? MODEL_BAD : MODEL_LAST;
        if (digits == 16 || *size > UINT64_C(0x7ffffffffffffff))
            return MODEL_BAD;
        *size = *size * 16 + value;
    }
    return MODEL_MORE;
}

static int run_model(struct model *model)
{
    for (;;) {
        uint64_t size, left = 0;
        int result = read_size(model, &size);

        if (result == MODEL_LAST)
            result = read_extensions(model);
        if (result == MODEL_LAST)
            result = expect(model, "\r\n");
        if (result != MODEL_LAST)
            return result;
        if (size == 0)
            return MODEL_LAST;
        left = (uint64_t)(model->end - model->at);
        if (left > size)
            left = size;
        memcpy(model->data + model->length, model->at, (size_t)left);
        model->length += (size_t)left;
        model->at += left;
        if (left < size)
            return MODEL_MORE;
        result = expect(model, "\r\n");
        if (result != MODEL_LAST)
            return result;
    }
}

static void compare(const uint8_t *data, size_t size, size_t piece)
{
    struct limits limits = limits_default;
    struct h1_chunked decoder;
    struct model model = {.at = data, .end = data + size};
    int event = H1_CHUNKED_MORE, expected = run_model(&model);
    size_t length = 0, consumed = 0;

    limits.chunk_extension_size = limits.chunk_extension_total = UINT32_MAX;
    h1_chunked_init(&decoder, &limits);
    for (size_t at = 0; at < size && event == H1_CHUNKED_MORE; at += piece) {
        struct span part = span_make(data + at, size - at < piece ? size - at : piece), run;

        while ((event = h1_chunked_step(&decoder, &part, &run)) == H1_CHUNKED_DATA) {
            CHECK(run.length > 0 && length + run.length <= model.length);
            CHECK(memcmp(run.data, model.data + length, run.length) == 0);
            length += run.length;
        }
        consumed = (size_t)(part.data - data);
        CHECK(event != H1_CHUNKED_MORE || part.length == 0);
    }
    CHECK(length == model.length);
    CHECK((event < 0) == (expected == MODEL_BAD));
    CHECK((event == H1_CHUNKED_LAST) == (expected == MODEL_LAST));
    CHECK(event != H1_CHUNKED_LAST || consumed == (size_t)(model.at - data));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 4096)
        return 0;
    compare(data + 1, size - 1, size);
    compare(data + 1, size - 1, 1);
    compare(data + 1, size - 1, (size_t)(data[0] & 31) + 1);
    return 0;
}

/* The frame cases of http2jp/http2-frame-test-case and the recorded sessions of nghttp2's fuzzing
 * corpus, through the engine. Usage: h2_corpora <corpora>. Exit 77 (skipped) without the data. */
#include "h2/harness.h"
#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/stat.h>

#define SKIPPED 77

static const char *corpora;
static unsigned frames_run, sessions_run;

typedef void visit_file(const char *path);

static void each_file(const char *folder, visit_file *visit)
{
    DIR *directory = opendir(folder);
    struct dirent *entry;
    if (directory == NULL)
        return;
    while ((entry = readdir(directory)) != NULL) {
        char path[1024];
        struct stat status;
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (stat(path, &status) != 0)
            continue;
        if (S_ISDIR(status.st_mode))
            each_file(path, visit);
        else
            visit(path);
    }
    closedir(directory);
}

/* ---- frame cases ---- */

static size_t from_hex(const char *text, uint8_t *out, size_t capacity)
{
    size_t length = 0;
    unsigned byte;
    for (; sscanf(text, "%2x", &byte) == 1 && length < capacity; text += 2)
        out[length++] = (uint8_t)byte;
    return length;
}

static bool is_listed(const json_t *errors, int code)
{
    size_t index;
    const json_t *item;
    json_array_foreach(errors, index, item)
    {
        if (json_integer_value(item) == code)
            return true;
    }
    return false;
}

/* The engine says one of the codes that the case lists, to the connection or the stream. */
static void check_error(struct raw *raw, const char *path, const json_t *errors)
{
    bool found = is_listed(errors, raw_goaway(raw));
    for (uint32_t id = 1; id < 16 && !found; id++)
        found = is_listed(errors, raw_reset(raw, id));
    if (!found)
        fail_msg("%s: GOAWAY %d", path, raw_goaway(raw));
}

struct watcher {
    struct frame_trace trace;
    struct frame_event event;
    bool seen;
    uint8_t opaque[256];
};

static void watch(struct frame_trace *trace, const struct frame_event *event)
{
    struct watcher *watcher = (struct watcher *)trace;
    if (event->direction != FRAME_IN || watcher->seen)
        return;
    watcher->event = *event;
    watcher->seen = true;
}

static void check_number(const json_t *object, const char *name, uint64_t value, const char *path)
{
    const json_t *wanted = json_object_get(object, name);
    if (wanted != NULL && !json_is_null(wanted) && (uint64_t)json_integer_value(wanted) != value)
        fail_msg("%s: %s is %llu", path, name, (unsigned long long)value);
}

static void check_normal(const struct h2_frame *frame, const struct watcher *watcher,
                         const json_t *wanted, const char *path)
{
    const json_t *payload = json_object_get(wanted, "frame_payload");
    const struct frame_event *event = &watcher->event;
    check_number(wanted, "length", frame->length, path);
    check_number(wanted, "flags", frame->flags, path);
    check_number(wanted, "stream_identifier", frame->stream_id, path);
    check_number(wanted, "type", frame->type, path);
    if (!watcher->seen)
        return; /* DATA and field blocks are traced with what they carry: unit tests */
    switch (frame->type) {
    case H2_PRIORITY:
        check_number(payload, "stream_dependency", event->depends_on, path);
        check_number(payload, "weight", event->weight, path);
        break;
    case H2_RST_STREAM:
        check_number(payload, "error_code", event->error_code, path);
        break;
    case H2_GOAWAY:
        check_number(payload, "error_code", event->error_code, path);
        check_number(payload, "last_stream_id", event->promised_id, path);
        break;
    case H2_WINDOW_UPDATE:
        check_number(payload, "window_size_increment", event->increment, path);
        break;
    default:
        break;
    }
}

static void run_frame(const char *path)
{
    struct raw raw;
    uint8_t wire[4096];
    json_t *document = json_load_file(path, 0, NULL);
    if (document == NULL || json_object_get(document, "wire") == NULL) {
        json_decref(document);
        return;
    }
    size_t length = from_hex(json_string_value(json_object_get(document, "wire")), wire, 4096);
    struct h2_frame frame = h2_frame_read(wire);
    const json_t *errors = json_object_get(document, "error");
    struct watcher watcher = {.trace.frame = watch};

    raw_open(&raw, frame.type == H2_PUSH_PROMISE ? CONN_CLIENT : CONN_SERVER);
    raw.host.answer = host_keep;
    if (frame.type != H2_HEADERS && frame.type != H2_CONTINUATION &&
        raw.conn->role == CONN_SERVER) {
        raw_headers(&raw, 1, false, POST_ROOT);
        raw_flush(&raw);
    }
    raw.conn->trace = &watcher.trace;
    raw_bytes(&raw, wire, length);
    raw_flush(&raw);
    raw.conn->trace = NULL;
    if (json_is_array(errors))
        check_error(&raw, path, errors);
    else
        check_normal(&frame, &watcher, json_object_get(document, "frame"), path);
    raw_close(&raw);
    json_decref(document);
    frames_run++;
}

static void frame_cases(void **state)
{
    (void)state;
    char folder[1024];
    snprintf(folder, sizeof(folder), "%s/http2-frame-test-case", corpora);
    each_file(folder, run_frame);
    print_message("%u frame cases\n", frames_run);
    assert_true(frames_run > 30);
}

/* ---- sessions ---- */

struct outcome {
    int result, goaway;
    unsigned dispatched;
    size_t length;
};

static struct outcome replay(const uint8_t *bytes, size_t length, size_t step)
{
    struct raw raw;
    raw_init(&raw);
    raw_start(&raw, CONN_SERVER);
    for (size_t at = 0; at < length && raw.result == 0; at += step) {
        struct conn_in in = {.data = span_slice(span_make(bytes, length), at, step)};
        raw.result = raw.conn->ops->recv(raw.conn, &in, raw.now);
    }
    int result = raw.result;
    raw_pull(&raw);
    struct outcome outcome = {result, raw_goaway(&raw), raw.host.dispatched, 0};
    for (size_t i = 0; i < raw.count; i++)
        outcome.length += raw.frames[i].frame.type == H2_HEADERS;
    raw_close(&raw);
    return outcome;
}

/* However the bytes are split, the engine takes the same decisions (nothing is sent in between:
 * that would end streams). But a request that is reset in the same breath reaches no handler, so
 * whole there may be fewer. */
static void run_session(const char *path)
{
    static uint8_t bytes[1 << 20];
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return;
    size_t length = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    struct outcome whole = replay(bytes, length, length);
    static const size_t steps[] = {1, 7, 100};
    for (size_t i = 0; i < 3; i++) {
        struct outcome split = replay(bytes, length, steps[i]);
        if (split.result != whole.result || split.goaway != whole.goaway ||
            split.dispatched < whole.dispatched)
            fail_msg("%s: result %d and %d, GOAWAY %d and %d, %u and %u requests", path,
                     whole.result, split.result, whole.goaway, split.goaway, whole.dispatched,
                     split.dispatched);
    }
    sessions_run++;
}

static void sessions(void **state)
{
    (void)state;
    char folder[1024];
    snprintf(folder, sizeof(folder), "%s/nghttp2-sessions/fuzz/corpus", corpora);
    each_file(folder, run_session);
    print_message("%u sessions\n", sessions_run);
    assert_true(sessions_run > 100);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frame_cases),
        cmocka_unit_test(sessions),
    };
    struct stat status;
    if (argc != 2)
        return 2;
    corpora = argv[1];
    if (stat(corpora, &status) != 0) {
        fprintf(stderr, "skipped: no data at %s\n", corpora);
        return SKIPPED;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

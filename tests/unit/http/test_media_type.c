#include "http/media_type.h"
#include "support/check.h"

static void assert_type(const char *path, const char *expected)
{
    struct span type = media_type_of_path(span_from_text(path));

    assert_int_equal(type.length, strlen(expected));
    assert_memory_equal(type.data, expected, type.length);
}

static void the_last_extension_counts(void **state)
{
    (void)state;
    assert_type("/index.html", "text/html; charset=utf-8");
    assert_type("/A.HTML", "text/html; charset=utf-8");
    assert_type("/a.tar.gz", "application/gzip");
    assert_type("x.7z", "application/x-7z-compressed");
    assert_type("x.zst", "application/zstd");
    assert_type("x.woff2", "font/woff2");
    assert_type("x.mjs", "text/javascript; charset=utf-8");
    assert_type("/a.html/b", "application/octet-stream");
    assert_type("/a.unknown", "application/octet-stream");
    assert_type("/a.", "application/octet-stream");
    assert_type("/a", "application/octet-stream");
    assert_type("", "application/octet-stream");
    assert_type("/x.htmlx", "application/octet-stream");
}

static void the_table_is_sorted(void **state)
{
    static const char *const extensions[] = {
        "7z",  "aac",  "css",         "gif", "js",  "json", "m4a", "mp3", "mp4", "png", "svg",
        "txt", "wasm", "webmanifest", "xml", "yml", "zip",  "c",   "h",   "ts",  "md"};
    (void)state;
    for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++) {
        char path[32];
        snprintf(path, sizeof(path), "a.%s", extensions[i]);
        struct span type = media_type_of_path(span_from_text(path));
        assert_false(span_equals(type, SPAN_LITERAL("application/octet-stream")));
    }
}

static void text_is_compressible(void **state)
{
    (void)state;
    assert_true(media_type_is_compressible(SPAN_LITERAL("text/html; charset=utf-8")));
    assert_true(media_type_is_compressible(SPAN_LITERAL("TEXT/PLAIN")));
    assert_true(media_type_is_compressible(SPAN_LITERAL("application/json")));
    assert_true(media_type_is_compressible(SPAN_LITERAL("application/problem+json")));
    assert_true(media_type_is_compressible(SPAN_LITERAL("image/svg+xml ;a=b")));
    assert_false(media_type_is_compressible(SPAN_LITERAL("image/png")));
    assert_false(media_type_is_compressible(SPAN_LITERAL("application/js")));
    assert_false(media_type_is_compressible(SPAN_LITERAL("application/zip")));
    assert_false(media_type_is_compressible(SPAN_EMPTY));
}

static void preloads_have_a_destination(void **state)
{
    (void)state;
    assert_true(span_equals(media_type_preload_as(SPAN_LITERAL("/a.css")), SPAN_LITERAL("style")));
    assert_true(span_equals(media_type_preload_as(SPAN_LITERAL("/a.woff")), SPAN_LITERAL("font")));
    assert_int_equal(media_type_preload_as(SPAN_LITERAL("/a.zip")).length, 0);
    assert_int_equal(media_type_preload_as(SPAN_LITERAL("/a")).length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_extension_counts),
        cmocka_unit_test(the_table_is_sorted),
        cmocka_unit_test(text_is_compressible),
        cmocka_unit_test(preloads_have_a_destination),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

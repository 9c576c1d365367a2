#include "http/media_type.h"

enum { COMPRESSIBLE = 1 << 0 };

struct entry {
    const char *extension, *type, *preload_as;
    unsigned flags;
};

/* Sorted by extension. */
static const struct entry table[] = {
    {"7z", "application/x-7z-compressed", "", 0},
    {"aac", "audio/aac", "audio", 0},
    {"apng", "image/apng", "image", 0},
    {"atom", "application/atom+xml; charset=utf-8", "", COMPRESSIBLE},
    {"avi", "video/x-msvideo", "video", 0},
    {"avif", "image/avif", "image", 0},
    {"bin", "application/octet-stream", "", 0},
    {"bmp", "image/bmp", "image", COMPRESSIBLE},
    {"br", "application/octet-stream", "", 0},
    {"bz2", "application/x-bzip2", "", 0},
    {"c", "text/plain; charset=utf-8", "", COMPRESSIBLE},
    {"cjs", "text/javascript; charset=utf-8", "script", COMPRESSIBLE},
    {"crt", "application/x-x509-ca-cert", "", 0},
    {"css", "text/css; charset=utf-8", "style", COMPRESSIBLE},
    {"csv", "text/csv; charset=utf-8", "fetch", COMPRESSIBLE},
    {"deb", "application/vnd.debian.binary-package", "", 0},
    {"doc", "application/msword", "", 0},
    {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "", 0},
    {"eot", "application/vnd.ms-fontobject", "font", COMPRESSIBLE},
    {"epub", "application/epub+zip", "", 0},
    {"flac", "audio/flac", "audio", 0},
    {"gif", "image/gif", "image", 0},
    {"gz", "application/gzip", "", 0},
    {"h", "text/plain; charset=utf-8", "", COMPRESSIBLE},
    {"htm", "text/html; charset=utf-8", "document", COMPRESSIBLE},
    {"html", "text/html; charset=utf-8", "document", COMPRESSIBLE},
    {"ico", "image/vnd.microsoft.icon", "image", COMPRESSIBLE},
    {"ics", "text/calendar; charset=utf-8", "", COMPRESSIBLE},
    {"jar", "application/java-archive", "", 0},
    {"jpeg", "image/jpeg", "image", 0},
    {"jpg", "image/jpeg", "image", 0},
    {"js", "text/javascript; charset=utf-8", "script", COMPRESSIBLE},
    {"json", "application/json", "fetch", COMPRESSIBLE},
    {"jsonld", "application/ld+json", "fetch", COMPRESSIBLE},
    {"jxl", "image/jxl", "image", 0},
    {"log", "text/plain; charset=utf-8", "", COMPRESSIBLE},
    {"m3u8", "application/vnd.apple.mpegurl", "", COMPRESSIBLE},
    {"m4a", "audio/mp4", "audio", 0},
    {"m4v", "video/mp4", "video", 0},
    {"map", "application/json", "fetch", COMPRESSIBLE},
    {"md", "text/markdown; charset=utf-8", "", COMPRESSIBLE},
    {"mid", "audio/midi", "audio", 0},
    {"mjs", "text/javascript; charset=utf-8", "script", COMPRESSIBLE},
    {"mkv", "video/x-matroska", "video", 0},
    {"mov", "video/quicktime", "video", 0},
    {"mp3", "audio/mpeg", "audio", 0},
    {"mp4", "video/mp4", "video", 0},
    {"mpd", "application/dash+xml", "", COMPRESSIBLE},
    {"mpeg", "video/mpeg", "video", 0},
    {"oga", "audio/ogg", "audio", 0},
    {"ogg", "audio/ogg", "audio", 0},
    {"ogv", "video/ogg", "video", 0},
    {"opus", "audio/ogg", "audio", 0},
    {"otf", "font/otf", "font", COMPRESSIBLE},
    {"pdf", "application/pdf", "", 0},
    {"pem", "application/x-pem-file", "", 0},
    {"png", "image/png", "image", 0},
    {"ppt", "application/vnd.ms-powerpoint", "", 0},
    {"pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation", "", 0},
    {"ps", "application/postscript", "", COMPRESSIBLE},
    {"py", "text/x-python; charset=utf-8", "", COMPRESSIBLE},
    {"rar", "application/vnd.rar", "", 0},
    {"rss", "application/rss+xml; charset=utf-8", "", COMPRESSIBLE},
    {"rtf", "application/rtf", "", COMPRESSIBLE},
    {"sh", "text/x-shellscript; charset=utf-8", "", COMPRESSIBLE},
    {"svg", "image/svg+xml", "image", COMPRESSIBLE},
    {"tar", "application/x-tar", "", 0},
    {"tif", "image/tiff", "image", 0},
    {"tiff", "image/tiff", "image", 0},
    {"toml", "application/toml", "", COMPRESSIBLE},
    {"ts", "video/mp2t", "video", 0},
    {"tsv", "text/tab-separated-values; charset=utf-8", "", COMPRESSIBLE},
    {"ttf", "font/ttf", "font", COMPRESSIBLE},
    {"txt", "text/plain; charset=utf-8", "", COMPRESSIBLE},
    {"vtt", "text/vtt; charset=utf-8", "track", COMPRESSIBLE},
    {"wasm", "application/wasm", "fetch", COMPRESSIBLE},
    {"wav", "audio/wav", "audio", 0},
    {"weba", "audio/webm", "audio", 0},
    {"webm", "video/webm", "video", 0},
    {"webmanifest", "application/manifest+json", "", COMPRESSIBLE},
    {"webp", "image/webp", "image", 0},
    {"woff", "font/woff", "font", 0},
    {"woff2", "font/woff2", "font", 0},
    {"xhtml", "application/xhtml+xml; charset=utf-8", "document", COMPRESSIBLE},
    {"xls", "application/vnd.ms-excel", "", 0},
    {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "", 0},
    {"xml", "application/xml; charset=utf-8", "fetch", COMPRESSIBLE},
    {"xz", "application/x-xz", "", 0},
    {"yaml", "application/yaml", "", COMPRESSIBLE},
    {"yml", "application/yaml", "", COMPRESSIBLE},
    {"zip", "application/zip", "", 0},
    {"zst", "application/zstd", "", 0},
};

#define COUNT (sizeof(table) / sizeof(table[0]))

static int compare(struct span extension, const char *candidate)
{
    for (size_t i = 0; i < extension.length; i++) {
        uint8_t byte = extension.data[i];
        byte = byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
        if (candidate[i] == 0 || byte != (uint8_t)candidate[i])
            return byte - (uint8_t)candidate[i];
    }
    return candidate[extension.length] == 0 ? 0 : -1;
}

static const struct entry *find(struct span path)
{
    size_t dot = path.length, low = 0, high = COUNT;

    while (dot != 0 && path.data[dot - 1] != '.') {
        if (path.data[dot - 1] == '/')
            return NULL;
        dot--;
    }
    struct span extension = span_slice(path, dot, path.length);
    if (dot == 0 || extension.length == 0)
        return NULL;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare(extension, table[middle].extension);
        if (order == 0)
            return &table[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

struct span media_type_of_path(struct span path)
{
    const struct entry *entry = find(path);

    return span_from_text(entry == NULL ? "application/octet-stream" : entry->type);
}

struct span media_type_preload_as(struct span path)
{
    const struct entry *entry = find(path);

    return entry == NULL ? SPAN_EMPTY : span_from_text(entry->preload_as);
}

static bool ends_with(struct span text, struct span end)
{
    return text.length >= end.length &&
           span_equals_ignoring_case(span_slice(text, text.length - end.length, end.length), end);
}

bool media_type_is_compressible(struct span content_type)
{
    const uint8_t *semicolon =
        content_type.length == 0 ? NULL : memchr(content_type.data, ';', content_type.length);
    struct span type = content_type;

    if (semicolon != NULL)
        type = span_slice(type, 0, (size_t)(semicolon - content_type.data));
    type = span_trim(type);
    if (span_equals_ignoring_case(span_slice(type, 0, 5), SPAN_LITERAL("text/")) ||
        ends_with(type, SPAN_LITERAL("+json")) || ends_with(type, SPAN_LITERAL("+xml")) ||
        ends_with(type, SPAN_LITERAL("/javascript")))
        return true;
    for (size_t i = 0; i < COUNT; i++) {
        struct span known = span_from_text(table[i].type);
        if ((table[i].flags & COMPRESSIBLE) && known.length >= type.length &&
            span_equals_ignoring_case(span_slice(known, 0, type.length), type) &&
            (known.length == type.length || known.data[type.length] == ';'))
            return true;
    }
    return false;
}

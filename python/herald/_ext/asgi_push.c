#include "asgi_push.h"

#include "base/buf.h"
#include "http/conn.h"

/* HTTP/1.1 clients that cannot take an interim response are still about (RFC 8297 section 3), so
 * hints replace pushes only from HTTP/2 on. */
bool asgi_push_offered(const AsgiExchange *self)
{
    const struct exchange *exchange = self->exchange;
    if (exchange_can_push(exchange))
        return true;
    return self->application->push_falls_back && exchange->incoming.version >= HTTP_2 &&
           !exchange->is_pushed;
}

static const char *preload_kind(struct span path)
{
    static const struct {
        const char *extension, *kind;
    } kinds[] = {
        {".css", "style"},  {".js", "script"},     {".mjs", "script"}, {".woff2", "font"},
        {".woff", "font"},  {".png", "image"},     {".jpg", "image"},  {".jpeg", "image"},
        {".gif", "image"},  {".webp", "image"},    {".avif", "image"}, {".svg", "image"},
        {".json", "fetch"}, {".html", "document"},
    };
    size_t end = 0;
    while (end < path.length && path.data[end] != '?')
        end++;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct span extension = span_from_text(kinds[i].extension);
        if (end >= extension.length &&
            span_equals(span_slice(path, end - extension.length, extension.length), extension))
            return kinds[i].kind;
    }
    return "fetch";
}

static int hint_instead(AsgiExchange *self, struct span path)
{
    if (self->head_sent)
        return 0;
    struct buf value;
    buf_init(&value, path.length + 64, NULL);
    int code =
        buf_printf(&value, "<%.*s>; rel=preload; as=%s", SPAN_ARGUMENTS(path), preload_kind(path));
    if (code == 0) {
        struct field link = {SPAN_LITERAL("link"), buf_span(&value), KNOWN_NONE, 0};
        code = exchange_inform(self->exchange, 103, &link, 1);
    }
    buf_free(&value);
    if (code == HERALD_ERROR_CLOSED || code == HERALD_ERROR_NOMEM)
        return asgi_raise(self, code, "sending an early hint");
    return 0;
}

static int promise(AsgiExchange *self, struct span path, const struct asgi_fields *fields)
{
    const struct message *parent = &self->exchange->incoming;
    struct message request = {
        .version = parent->version,
        .method = SPAN_LITERAL("GET"),
        .scheme = parent->scheme,
        .authority = parent->authority,
        .path = path,
        .fields = {fields->items, fields->count, fields->count},
        .content_length = CONTENT_LENGTH_UNKNOWN,
    };
    int code = exchange_push(self->exchange, &request);
    switch (code) {
    case HERALD_ERROR_UNSUPPORTED:
        return self->application->push_falls_back ? hint_instead(self, path) : 0;
    case HERALD_ERROR_LIMIT:
        return 0;
    case HERALD_ERROR_INVALID:
        PyErr_SetString(PyExc_ValueError, "that request cannot be promised");
        return -1;
    default:
        return code < 0 ? asgi_raise(self, code, "pushing") : 0;
    }
}

int asgi_push(AsgiExchange *self, PyObject *message)
{
    if (!PyDict_Check(message)) {
        PyErr_SetString(PyExc_TypeError, "push takes a dict with \"path\" and \"headers\"");
        return -1;
    }
    PyObject *path = PyDict_GetItemWithError(message, ext_names.path);
    if (path == NULL || !PyUnicode_Check(path)) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "push needs \"path\", a str");
        return -1;
    }
    Py_ssize_t length;
    const char *text = PyUnicode_AsUTF8AndSize(path, &length);
    if (text == NULL)
        return -1;
    if (!PyUnicode_IS_ASCII(path) || length == 0 || text[0] != '/' ||
        memchr(text, ' ', (size_t)length)) {
        PyErr_SetString(PyExc_ValueError,
                        "the path to push must be ASCII, start with / and be percent-encoded");
        return -1;
    }
    struct asgi_fields fields;
    PyObject *headers = PyDict_GetItemWithError(message, ext_names.headers);
    if (asgi_fields_parse(&fields, headers) < 0)
        return -1;
    int result = promise(self, span_make(text, (size_t)length), &fields);
    asgi_fields_free(&fields);
    return result;
}

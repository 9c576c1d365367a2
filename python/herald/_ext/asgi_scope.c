#include "asgi.h"

#include "asgi_push.h"
#include "http/conn.h"

/* Bytes objects for the field names the program knows, made when first seen. */
static PyObject *known_name_objects[KNOWN_NAME_END];
static PyObject *host_name;

static PyObject *bytes_from_span(struct span span)
{
    return PyBytes_FromStringAndSize((const char *)span.data, (Py_ssize_t)span.length);
}

static PyObject *name_object(const struct field *field)
{
    if (field->known == KNOWN_NONE)
        return bytes_from_span(field->name);
    PyObject **slot = &known_name_objects[field->known];
    if (*slot == NULL)
        *slot = bytes_from_span(field->name);
    return Py_XNewRef(*slot);
}

static int append_pair(PyObject *list, Py_ssize_t index, PyObject *name, struct span value)
{
    PyObject *pair = PyTuple_New(2);
    PyObject *text = bytes_from_span(value);
    if (name == NULL || pair == NULL || text == NULL) {
        Py_XDECREF(name);
        Py_XDECREF(pair);
        Py_XDECREF(text);
        return -1;
    }
    PyTuple_SET_ITEM(pair, 0, name);
    PyTuple_SET_ITEM(pair, 1, text);
    PyList_SET_ITEM(list, index, pair);
    return 0;
}

/* The authority becomes a host field, first, where the request had none (ASGI: "pseudo headers must
 * be removed; if :authority is present its value must be added as host"). */
static PyObject *scope_headers(const struct message *request)
{
    const struct fields *fields = &request->fields;
    bool add_host = request->authority.length > 0 && fields_find(fields, KNOWN_HOST) == NULL;
    PyObject *list = PyList_New((Py_ssize_t)fields->count + add_host);
    if (list == NULL)
        return NULL;
    Py_ssize_t index = 0;
    if (add_host && append_pair(list, index++, Py_NewRef(host_name), request->authority) < 0)
        goto failed;
    for (size_t i = 0; i < fields->count; i++) {
        const struct field *field = &fields->items[i];
        if (append_pair(list, index++, name_object(field), field->value) < 0)
            goto failed;
    }
    return list;
failed:
    Py_DECREF(list);
    return NULL;
}

static int hex_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* Percent-decoded once, as UTF-8; what is not UTF-8 becomes U+FFFD, since ASGI wants text. */
static PyObject *decode_path(struct span raw)
{
    if (raw.length == 0 || memchr(raw.data, '%', raw.length) == NULL)
        return PyUnicode_DecodeUTF8((const char *)raw.data, (Py_ssize_t)raw.length, "replace");
    char *decoded = PyMem_Malloc(raw.length);
    if (decoded == NULL)
        return PyErr_NoMemory();
    size_t length = 0;
    for (size_t i = 0; i < raw.length; i++) {
        int high, low;
        if (raw.data[i] == '%' && i + 2 < raw.length && (high = hex_digit(raw.data[i + 1])) >= 0 &&
            (low = hex_digit(raw.data[i + 2])) >= 0) {
            decoded[length++] = (char)(high << 4 | low);
            i += 2;
        } else {
            decoded[length++] = (char)raw.data[i];
        }
    }
    PyObject *path = PyUnicode_DecodeUTF8(decoded, (Py_ssize_t)length, "replace");
    PyMem_Free(decoded);
    return path;
}

/* The endpoint made last: the requests of a connection follow each other, and all have the server's
 * end in common. */
struct last_endpoint {
    char address[64];
    unsigned port;
    PyObject *tuple;
};

static struct last_endpoint last_client, last_server;

static PyObject *endpoint(struct last_endpoint *last, const char *address, unsigned port)
{
    if (address == NULL || address[0] == '\0')
        return Py_NewRef(Py_None);
    if (last->tuple != NULL && last->port == port && strcmp(last->address, address) == 0)
        return Py_NewRef(last->tuple);
    PyObject *tuple = Py_BuildValue("(sI)", address, port);
    size_t length = strlen(address);
    if (tuple != NULL && length < sizeof last->address) {
        memcpy(last->address, address, length + 1);
        last->port = port;
        Py_XSETREF(last->tuple, Py_NewRef(tuple));
    }
    return tuple;
}

/* Takes the reference to `value`. Returns 0, or -1 with an exception. */
static int put(PyObject *dict, PyObject *key, PyObject *value)
{
    if (value == NULL)
        return -1;
    int result = PyDict_SetItem(dict, key, value);
    Py_DECREF(value);
    return result;
}

static int put_client_certificate(PyObject *tls, struct span certificate)
{
    if (certificate.length == 0)
        return put(tls, ext_names.client_cert_chain, PyList_New(0)) < 0
                   ? -1
                   : PyDict_SetItem(tls, ext_names.client_cert_name, Py_None);
    PyObject *pem = ext_pem(certificate);
    PyObject *chain = pem == NULL ? NULL : Py_BuildValue("[N]", pem);
    if (put(tls, ext_names.client_cert_chain, chain) < 0)
        return -1;
    return put(tls, ext_names.client_cert_name, ext_subject_name(certificate));
}

/* The ASGI TLS extension, version 0.2. The server's own certificate is left out, as it allows. */
static PyObject *tls_extension(const struct conn_info *info)
{
    PyObject *tls = PyDict_New();
    if (tls == NULL)
        return NULL;
    if (PyDict_SetItem(tls, ext_names.server_cert, Py_None) < 0 ||
        put_client_certificate(tls, info->client_certificate) < 0 ||
        PyDict_SetItem(tls, ext_names.client_cert_error, Py_None) < 0 ||
        put(tls, ext_names.tls_version, PyLong_FromLong(info->tls_version_number)) < 0 ||
        put(tls, ext_names.cipher_suite, PyLong_FromLong(info->tls_cipher_number)) < 0)
        Py_CLEAR(tls);
    return tls;
}

static PyObject *scope_extensions(AsgiExchange *self)
{
    const struct exchange *exchange = self->exchange;
    const struct conn_info *info = exchange->conn == NULL ? NULL : exchange->conn->info;
    PyObject *const always[] = {
        ext_names.http_response_pathsend,
        exchange->incoming.version > HTTP_1_0 ? ext_names.http_response_early_hint : NULL,
        exchange->incoming.version > HTTP_1_0 ? ext_names.http_response_informational : NULL,
        exchange->incoming.version > HTTP_1_0 ? ext_names.http_response_trailers : NULL,
    };
    PyObject *extensions = PyDict_New();
    if (extensions == NULL)
        return NULL;
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++) {
        if (always[i] != NULL && put(extensions, always[i], PyDict_New()) < 0)
            goto failed;
    }
    if (asgi_push_offered(self) &&
        put(extensions, ext_names.http_response_push,
            PyObject_CallOneArg(self->application->push_extension, (PyObject *)self)) < 0)
        goto failed;
    if (info != NULL && info->tls_version_number != 0 &&
        put(extensions, ext_names.tls, tls_extension(info)) < 0)
        goto failed;
    return extensions;
failed:
    Py_DECREF(extensions);
    return NULL;
}

static PyObject *version_name(enum http_version version)
{
    switch (version) {
    case HTTP_1_0:
        return ext_names.http_1_0;
    case HTTP_2:
        return ext_names.http_2;
    case HTTP_3:
        return ext_names.http_3;
    default:
        return ext_names.http_1_1;
    }
}

static int put_target(PyObject *scope, struct span target)
{
    const uint8_t *mark = target.length == 0 ? NULL : memchr(target.data, '?', target.length);
    size_t length = mark == NULL ? target.length : (size_t)(mark - target.data);
    struct span raw = span_slice(target, 0, length);
    struct span query = mark == NULL ? SPAN_EMPTY : span_slice(target, length + 1, SIZE_MAX);
    if (put(scope, ext_names.path, decode_path(raw)) < 0 ||
        put(scope, ext_names.raw_path, bytes_from_span(raw)) < 0 ||
        put(scope, ext_names.query_string, bytes_from_span(query)) < 0)
        return -1;
    return 0;
}

static PyObject *upper_method(struct span method)
{
    char text[64];
    size_t length = method.length < sizeof text ? method.length : sizeof text;
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = method.data[i];
        text[i] = (char)(byte >= 'a' && byte <= 'z' ? byte - 32 : byte);
    }
    return PyUnicode_FromStringAndSize(text, (Py_ssize_t)length);
}

static int put_connection(PyObject *scope, const struct conn *conn)
{
    const struct conn_info *info = conn == NULL ? NULL : conn->info;
    PyObject *client = info == NULL ? Py_NewRef(Py_None)
                                    : endpoint(&last_client, info->peer_address, info->peer_port);
    PyObject *server = info == NULL ? Py_NewRef(Py_None)
                                    : endpoint(&last_server, info->local_address, info->local_port);
    int result = put(scope, ext_names.client, client);
    if (put(scope, ext_names.server, server) < 0)
        result = -1;
    return result;
}

/* What all scopes have in common. A copy of it has its table in the size needed: filling an empty
 * dictionary key by key makes and fills it twice over. */
static PyObject *scope_template(struct asgi_application *application)
{
    PyObject *const keys[] = {
        ext_names.type,       ext_names.asgi,    ext_names.http_version, ext_names.method,
        ext_names.scheme,     ext_names.path,    ext_names.raw_path,     ext_names.query_string,
        ext_names.root_path,  ext_names.headers, ext_names.client,       ext_names.server,
        ext_names.extensions,
    };
    if (application->scope_template != NULL)
        return application->scope_template;
    PyObject *template = PyDict_New();
    if (template == NULL)
        return NULL;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (PyDict_SetItem(template, keys[i], Py_None) < 0)
            goto failed;
    }
    if (PyDict_SetItem(template, ext_names.type, ext_names.http) < 0 ||
        PyDict_SetItem(template, ext_names.asgi, application->asgi_versions) < 0 ||
        PyDict_SetItem(template, ext_names.root_path, application->root_path) < 0 ||
        (application->state != NULL && PyDict_SetItem(template, ext_names.state, Py_None) < 0))
        goto failed;
    application->scope_template = template;
    return template;
failed:
    Py_DECREF(template);
    return NULL;
}

PyObject *asgi_scope_new(AsgiExchange *self)
{
    struct asgi_application *application = self->application;
    const struct message *request = &self->exchange->incoming;
    PyObject *template = scope_template(application);
    PyObject *scope = template == NULL ? NULL : PyDict_Copy(template);
    if (scope == NULL)
        return NULL;
    if (PyDict_SetItem(scope, ext_names.http_version, version_name(request->version)) < 0 ||
        put(scope, ext_names.method, upper_method(request->method)) < 0 ||
        put(scope, ext_names.scheme,
            PyUnicode_FromStringAndSize((const char *)request->scheme.data,
                                        (Py_ssize_t)request->scheme.length)) < 0 ||
        put_target(scope, request->path) < 0 ||
        put(scope, ext_names.headers, scope_headers(request)) < 0 ||
        put_connection(scope, self->exchange->conn) < 0 ||
        put(scope, ext_names.extensions, scope_extensions(self)) < 0)
        goto failed;
    if (application->state != NULL &&
        put(scope, ext_names.state, PyDict_Copy(application->state)) < 0)
        goto failed;
    return scope;
failed:
    Py_DECREF(scope);
    return NULL;
}

int asgi_scope_init(PyObject *module)
{
    (void)module;
    host_name = PyBytes_FromString("host");
    return host_name == NULL ? -1 : 0;
}

#include "cli/get_output.h"
#include "base/buf.h"
#include "cli/cli.h"
#include "trace/trace.h"
#include "trace/trace_print.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define COPY_SIZE     16384
#define NAMES_MAXIMUM 1000

void get_output_init(struct get_output *output)
{
    *output = (struct get_output){.terminal = isatty(STDOUT_FILENO) == 1};
    list_init(&output->waiting);
    list_init(&output->names);
}

void get_sink_init(struct get_sink *sink, struct get_output *output)
{
    *sink = (struct get_sink){.output = output, .descriptor = -1, .spill = -1, .discard = true};
    list_init(&sink->node);
}

static int write_all(int descriptor, struct span data)
{
    while (data.length > 0) {
        ssize_t count = write(descriptor, data.data, data.length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return HERALD_ERROR_IO;
        data = span_slice(data, (size_t)count, data.length);
    }
    return 0;
}

/* ---- the terminal ---- */

/* Lines and tabs stay, all else is shown as in traces. */
static int escape_for_terminal(struct buf *out, struct span data)
{
    int result = 0;

    while (data.length > 0 && result == 0) {
        size_t plain = 0;
        while (plain < data.length && data.data[plain] != '\n' && data.data[plain] != '\t' &&
               data.data[plain] != '\\')
            plain++;
        result = trace_escape(out, span_slice(data, 0, plain));
        if (result == 0 && plain < data.length)
            result = buf_append_byte(out, data.data[plain++]);
        data = span_slice(data, plain, data.length);
    }
    return result;
}

/* How many bytes at the end are the beginning of a character that goes on in the next piece. */
static size_t unfinished(struct span data)
{
    for (size_t back = 1; back <= 3 && back <= data.length; back++) {
        uint8_t byte = data.data[data.length - back];
        size_t needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 1;
        if ((byte & 0xc0) == 0x80)
            continue;
        return needed > back ? back : 0;
    }
    return 0;
}

static int write_to_terminal(struct get_output *output, struct span data, bool last)
{
    struct buf whole, out;
    int result;

    buf_init(&whole, SIZE_MAX, NULL);
    buf_init(&out, SIZE_MAX, NULL);
    result = buf_append(&whole, output->partial, output->partial_length);
    if (result == 0)
        result = buf_append_span(&whole, data);
    if (result == 0) {
        struct span text = buf_span(&whole);
        output->partial_length = last ? 0 : unfinished(text);
        text.length -= output->partial_length;
        if (output->partial_length > 0)
            memcpy(output->partial, text.data + text.length, output->partial_length);
        result = escape_for_terminal(&out, text);
    }
    if (result == 0)
        result = write_all(STDOUT_FILENO, buf_span(&out));
    buf_free(&whole);
    buf_free(&out);
    return result;
}

static int write_to_stdout(struct get_output *output, struct span data, bool last)
{
    int result;

    if (output->broken)
        return HERALD_ERROR_IO;
    if (output->terminal)
        result = write_to_terminal(output, data, last);
    else
        result = write_all(STDOUT_FILENO, data);
    if (result != 0) {
        output->broken = true;
        /* A reader that has seen enough (head, less) is no news. */
        if (errno != EPIPE)
            cli_failure("standard output: %s", strerror(errno));
    }
    return result;
}

/* ---- taking turns ---- */

static bool has_turn(const struct get_sink *sink)
{
    return list_first(&sink->output->waiting) == &sink->node;
}

static int open_spill(void)
{
    const char *folder = getenv("TMPDIR");
    char path[OUTPUT_PATH_MAXIMUM];
    int descriptor;

    snprintf(path, sizeof(path), "%s/herald-XXXXXX", folder != NULL ? folder : "/tmp");
    descriptor = mkostemp(path, O_CLOEXEC);
    if (descriptor >= 0)
        unlink(path);
    return descriptor;
}

static int write_to_spill(struct get_sink *sink, struct span data)
{
    if (sink->spill < 0)
        sink->spill = open_spill();
    if (sink->spill < 0 || write_all(sink->spill, data) != 0) {
        cli_failure("temporary file: %s", strerror(errno));
        return HERALD_ERROR_IO;
    }
    return 0;
}

static int empty_spill(struct get_sink *sink)
{
    uint8_t bytes[COPY_SIZE];
    ssize_t count = 0;
    int result = 0;

    if (sink->spill < 0)
        return 0;
    if (lseek(sink->spill, 0, SEEK_SET) != 0)
        result = HERALD_ERROR_IO;
    while (result == 0 && (count = read(sink->spill, bytes, sizeof(bytes))) > 0)
        result = write_to_stdout(sink->output, span_make(bytes, (size_t)count), false);
    if (count < 0)
        result = HERALD_ERROR_IO;
    close(sink->spill);
    sink->spill = -1;
    return result;
}

static int pass_turn_on(struct get_output *output)
{
    int result = 0;
    struct list *node;

    while ((node = list_first(&output->waiting)) != NULL) {
        struct get_sink *sink = CONTAINER_OF(node, struct get_sink, node);
        int error = empty_spill(sink);
        if (result == 0)
            result = error;
        if (!sink->ended)
            break;
        list_remove(node);
    }
    return result;
}

void get_sink_to_stdout(struct get_sink *sink)
{
    sink->to_stdout = true;
    sink->discard = false;
    list_append(&sink->output->waiting, &sink->node);
}

/* ---- files ---- */

int get_sink_to_file(struct get_sink *sink, const char *path)
{
    snprintf(sink->path, sizeof(sink->path), "%s", path);
    sink->descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (sink->descriptor < 0) {
        cli_failure("%s: %s", path, strerror(errno));
        return HERALD_ERROR_IO;
    }
    sink->discard = false;
    return 0;
}

void get_output_name(struct span url_path, char name[256])
{
    size_t end = 0, start, length = 0;

    while (end < url_path.length && url_path.data[end] != '?')
        end++;
    for (start = end; start > 0 && url_path.data[start - 1] != '/';)
        start--;
    for (size_t i = start; i < end && length < 200; i++) {
        uint8_t byte = url_path.data[i];
        bool plain = byte > 0x20 && byte < 0x7f && strchr("\\:*?\"<>|", byte) == NULL;
        /* A name that begins with a dot is hidden, one with a dash is an option to other tools. */
        if (length == 0 && (byte == '.' || byte == '-'))
            plain = false;
        name[length++] = plain ? (char)byte : '_';
    }
    name[length] = 0;
    if (length == 0)
        snprintf(name, 256, "index.html");
}

static bool name_is_taken(const struct get_output *output, const char *path)
{
    for (struct list *node = output->names.next; node != &output->names; node = node->next)
        if (strcmp(CONTAINER_OF(node, struct get_sink, node)->path, path) == 0)
            return true;
    return false;
}

int get_sink_to_folder(struct get_sink *sink, const char *folder, struct span url_path)
{
    char name[256];
    unsigned number = 1;
    int length;

    get_output_name(url_path, name);
    length = snprintf(sink->path, sizeof(sink->path), "%s/%s", folder, name);
    while (length > 0 && (size_t)length < sizeof(sink->path) &&
           name_is_taken(sink->output, sink->path) && ++number < NAMES_MAXIMUM)
        length = snprintf(sink->path, sizeof(sink->path), "%s/%s.%u", folder, name, number);
    if (length < 0 || (size_t)length >= sizeof(sink->path) || number >= NAMES_MAXIMUM) {
        cli_failure("%s: no name for '%s' in this folder", folder, name);
        return HERALD_ERROR_LIMIT;
    }
    sink->descriptor =
        open(sink->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (sink->descriptor < 0) {
        cli_failure("%s: %s", sink->path, strerror(errno));
        return HERALD_ERROR_IO;
    }
    sink->discard = false;
    list_append(&sink->output->names, &sink->node);
    return 0;
}

/* ---- all of them ---- */

int get_sink_write(struct get_sink *sink, struct span data)
{
    if (sink->discard || data.length == 0)
        return 0;
    if (sink->to_stdout)
        return has_turn(sink) ? write_to_stdout(sink->output, data, false)
                              : write_to_spill(sink, data);
    if (write_all(sink->descriptor, data) != 0) {
        cli_failure("%s: %s", sink->path, strerror(errno));
        return HERALD_ERROR_IO;
    }
    return 0;
}

int get_sink_end(struct get_sink *sink)
{
    int result = 0;

    if (sink->ended)
        return 0;
    sink->ended = true;
    if (sink->to_stdout && has_turn(sink)) {
        if (sink->output->partial_length > 0)
            result = write_to_stdout(sink->output, SPAN_EMPTY, true);
        int error = pass_turn_on(sink->output);
        return result != 0 ? result : error;
    }
    if (sink->descriptor >= 0 && close(sink->descriptor) != 0) {
        cli_failure("%s: %s", sink->path, strerror(errno));
        result = HERALD_ERROR_IO;
    }
    sink->descriptor = -1;
    return result;
}

/* Names below a folder: whatever is asked for, the name is relative, plain and inside. The first
 * byte chooses prefix and dotfiles. */
#include "server/folder_path.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            __builtin_trap();                                                                      \
    } while (0)

static void check_segment(struct span segment, bool dotfiles, bool first)
{
    CHECK(segment.length > 0);
    CHECK(!span_equals(segment, SPAN_LITERAL(".")) && !span_equals(segment, SPAN_LITERAL("..")));
    bool known = first && span_equals(segment, SPAN_LITERAL(".well-known"));
    CHECK(dotfiles || known || segment.data[0] != '.');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct folder_path path;
    if (size == 0)
        return 0;
    bool dotfiles = (data[0] & 1) != 0;
    struct span prefix = (data[0] & 2) != 0 ? SPAN_LITERAL("/static") : SPAN_EMPTY;
    if (folder_path_decode(span_make(data + 1, size - 1), prefix, dotfiles, &path) < 0)
        return 0;
    CHECK(path.name >= path.text && path.name + path.length < path.text + sizeof(path.text));
    CHECK(strlen(path.name) == path.length);
    CHECK(path.length == 0 || path.slash || path.name[path.length - 1] != '/');
    struct span rest = span_make(path.name, path.length);
    for (bool first = true; rest.length > 0; first = false) {
        const uint8_t *slash = memchr(rest.data, '/', rest.length);
        size_t length = slash == NULL ? rest.length : (size_t)(slash - rest.data);
        check_segment(span_slice(rest, 0, length), dotfiles, first);
        rest = span_slice(rest, length + (slash != NULL), rest.length);
    }
    return 0;
}

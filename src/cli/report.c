#include "cli/cli.h"

#include "base/buf.h"
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define REPORT_MAXIMUM 4096

/* One write a line, so that lines of several processes do not mix; names of files and options are
 * escaped as in the log. */
static void report(const char *kind, const char *format, va_list arguments)
{
    char text[REPORT_MAXIMUM];
    vsnprintf(text, sizeof(text), format, arguments);
    struct buf line;
    buf_init(&line, 8 * REPORT_MAXIMUM, NULL);
    if (buf_printf(&line, "herald: %s: ", kind) == 0 &&
        log_escape(&line, span_from_text(text)) == 0 && buf_append_byte(&line, '\n') == 0) {
        struct span bytes = buf_span(&line);
        ssize_t written = write(STDERR_FILENO, bytes.data, bytes.length);
        (void)written;
    }
    buf_free(&line);
}

int cli_usage_error(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    report("error", format, arguments);
    va_end(arguments);
    return EXIT_CODE_USAGE;
}

int cli_failure(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    report("error", format, arguments);
    va_end(arguments);
    return EXIT_CODE_FAILURE;
}

void cli_warning(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    report("warning", format, arguments);
    va_end(arguments);
}

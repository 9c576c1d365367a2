/* What a call writes to standard error or standard output. */
#ifndef CLI_CAPTURE_H
#define CLI_CAPTURE_H

#include <stdio.h>
#include <unistd.h>

struct capture {
    FILE *file;
    int descriptor, saved;
    char text[16384];
};

/* `descriptor`: STDOUT_FILENO or STDERR_FILENO. */
void capture_start(struct capture *capture, int descriptor);

/* Restores the descriptor; capture->text holds what was written. */
void capture_stop(struct capture *capture);

#endif

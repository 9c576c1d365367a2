#include "capture.h"

void capture_start(struct capture *capture, int descriptor)
{
    fflush(NULL);
    capture->descriptor = descriptor;
    capture->saved = dup(descriptor);
    capture->file = tmpfile();
    if (capture->file != NULL)
        dup2(fileno(capture->file), descriptor);
}

void capture_stop(struct capture *capture)
{
    fflush(NULL);
    dup2(capture->saved, capture->descriptor);
    close(capture->saved);
    capture->text[0] = '\0';
    if (capture->file == NULL)
        return;
    rewind(capture->file);
    size_t length = fread(capture->text, 1, sizeof(capture->text) - 1, capture->file);
    capture->text[length] = '\0';
    fclose(capture->file);
}

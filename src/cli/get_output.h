/* Where bodies go: files, or standard output in the order in which they were begun. A body whose
 * turn on standard output has not come yet is kept in an unnamed temporary file, so that no stream
 * has to wait for another. On a terminal control characters are escaped. */
#ifndef CLI_GET_OUTPUT_H
#define CLI_GET_OUTPUT_H

#include "base/list.h"
#include "base/span.h"
#include <stdint.h>

#define OUTPUT_PATH_MAXIMUM 4096

struct get_output {
    struct list waiting; /* of struct get_sink: for standard output, the first has its turn */
    struct list names;   /* of struct get_sink: files of this run */
    bool terminal;
    uint8_t partial[4]; /* an unfinished character of UTF-8 on its way to the terminal */
    size_t partial_length;
    bool broken; /* standard output does not take any more; reported */
};

struct get_sink {
    struct get_output *output;
    struct list node;
    int descriptor; /* of the file; -1: standard output, spill: the temporary file */
    int spill;
    bool to_stdout, discard, ended;
    char path[OUTPUT_PATH_MAXIMUM];
};

void get_output_init(struct get_output *output);

/* Without a destination: bytes are dropped. */
void get_sink_init(struct get_sink *sink, struct get_output *output);

/* Takes a place in the order of standard output. */
void get_sink_to_stdout(struct get_sink *sink);

/* Opens `path`, or a name in `folder` made from the last segment of a URL's path: never hidden,
 * never outside of the folder, never through a symbolic link, different from the others of this
 * run. 0, or HERALD_ERROR_IO, HERALD_ERROR_LIMIT; reported. */
int get_sink_to_file(struct get_sink *sink, const char *path);
int get_sink_to_folder(struct get_sink *sink, const char *folder, struct span url_path);

/* Blocks. 0, or HERALD_ERROR_IO; reported once. */
int get_sink_write(struct get_sink *sink, struct span data);

/* No more will come. Returns as get_sink_write. Harmless when repeated. */
int get_sink_end(struct get_sink *sink);

/* The file name that get_sink_to_folder derives, without number. */
void get_output_name(struct span url_path, char name[256]);

#endif

/* Configuration files: .py and .toml (read by the Python on PATH), .yaml and .yml, .json. Keys are
 * those of the option table, which are Hypercorn's. */
#ifndef CLI_CONFIG_FILE_H
#define CLI_CONFIG_FILE_H

#include "cli/options.h"
#include "server/config.h"

#define CONFIG_FILE_MAXIMUM (1024 * 1024) /* bytes of a file, and of what Python prints */

/* Stores what `path` says into `target`, whose text is copied into `config`. "file:NAME" is a
 * Python file whatever its ending, "python:MODULE" a module, as Hypercorn has it. `python`: the
 * interpreter, NULL for python3 on PATH. Returns 0, or HERALD_ERROR_CONFIG with one line reported
 * that names file and key. Keys that mean nothing here are one warning line each. */
int config_file_read(const char *path, const char *python, const struct option_table *table,
                     void *target, struct serve_config *config);

#endif

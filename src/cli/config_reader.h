/* The file formats behind config_file.h: each gives a JSON object. */
#ifndef CLI_CONFIG_READER_H
#define CLI_CONFIG_READER_H

#include "base/buf.h"
#include <jansson.h>

enum config_format { CONFIG_PYTHON, CONFIG_PYTHON_MODULE, CONFIG_TOML, CONFIG_YAML, CONFIG_JSON };

#define CONFIG_REASON_MAXIMUM 300

/* A new object, or NULL with `reason` filled ("line 3: mapping values are not allowed"). */
json_t *config_read_yaml(struct span text, char reason[CONFIG_REASON_MAXIMUM]);
json_t *config_read_json(struct span text, char reason[CONFIG_REASON_MAXIMUM]);

/* CONFIG_PYTHON, CONFIG_PYTHON_MODULE and CONFIG_TOML: runs the interpreter. */
json_t *config_read_python(enum config_format format, const char *path, const char *python,
                           char reason[CONFIG_REASON_MAXIMUM]);

#endif

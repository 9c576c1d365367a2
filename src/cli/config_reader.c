#include "cli/config_reader.h"

#include "cli/config_file.h"

#include <stdio.h>
#include <yaml.h>

#define YAML_DEPTH_MAXIMUM 16

json_t *config_read_json(struct span text, char reason[CONFIG_REASON_MAXIMUM])
{
    json_error_t error;
    json_t *json = json_loadb((const char *)text.data, text.length, JSON_REJECT_DUPLICATES, &error);
    if (json == NULL)
        snprintf(reason, CONFIG_REASON_MAXIMUM, "line %d: %s", error.line, error.text);
    return json;
}

/* YAML 1.2 core schema, what a configuration needs of it: a plain scalar may be a number, a truth
 * value or nothing; everything quoted is text. */
static json_t *scalar_to_json(const yaml_node_t *node)
{
    const char *text = (const char *)node->data.scalar.value;
    size_t length = node->data.scalar.length;
    if (node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return json_stringn(text, length);
    if (length == 0 || strcmp(text, "null") == 0 || strcmp(text, "~") == 0)
        return json_null();
    if (strcmp(text, "true") == 0 || strcmp(text, "True") == 0)
        return json_true();
    if (strcmp(text, "false") == 0 || strcmp(text, "False") == 0)
        return json_false();
    /* A number is kept as it was written: option_set reads it. */
    return json_stringn(text, length);
}

static json_t *node_to_json(yaml_document_t *document, int index, unsigned depth);

static json_t *sequence_to_json(yaml_document_t *document, const yaml_node_t *node, unsigned depth)
{
    json_t *array = json_array();
    for (const yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++) {
        if (json_array_append_new(array, node_to_json(document, *item, depth + 1)) < 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *mapping_to_json(yaml_document_t *document, const yaml_node_t *node, unsigned depth)
{
    json_t *object = json_object();
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(document, pair->key);
        if (key->type != YAML_SCALAR_NODE ||
            json_object_set_new(object, (const char *)key->data.scalar.value,
                                node_to_json(document, pair->value, depth + 1)) < 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static json_t *node_to_json(yaml_document_t *document, int index, unsigned depth)
{
    const yaml_node_t *node = yaml_document_get_node(document, index);
    /* An alias may name a node that contains it: only the depth ends that. */
    if (node == NULL || depth > YAML_DEPTH_MAXIMUM)
        return NULL;
    switch (node->type) {
    case YAML_SCALAR_NODE:
        return scalar_to_json(node);
    case YAML_SEQUENCE_NODE:
        return sequence_to_json(document, node, depth);
    case YAML_MAPPING_NODE:
        return mapping_to_json(document, node, depth);
    default:
        return json_null();
    }
}

json_t *config_read_yaml(struct span text, char reason[CONFIG_REASON_MAXIMUM])
{
    yaml_parser_t parser;
    yaml_document_t document;
    json_t *json = NULL;
    snprintf(reason, CONFIG_REASON_MAXIMUM, "out of memory");
    if (!yaml_parser_initialize(&parser))
        return NULL;
    yaml_parser_set_input_string(&parser, text.data, text.length);
    if (!yaml_parser_load(&parser, &document)) {
        snprintf(reason, CONFIG_REASON_MAXIMUM, "line %zu: %s", parser.problem_mark.line + 1,
                 parser.problem == NULL ? "not YAML" : parser.problem);
        goto out;
    }
    if (yaml_document_get_root_node(&document) == NULL) {
        json = json_object();
    } else {
        json = node_to_json(&document, 1, 0);
        if (json == NULL)
            snprintf(reason, CONFIG_REASON_MAXIMUM, "nested too deep, or a key that is not text");
    }
    yaml_document_delete(&document);
out:
    yaml_parser_delete(&parser);
    return json;
}

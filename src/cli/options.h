/* Options from a table: parsing, help text and configuration keys all come from the same rows. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* What a row stores at `offset` of the structure that is filled. */
enum option_kind {
    OPTION_ON,           /* bool; the option alone sets true; as a key: true or false */
    OPTION_OFF,          /* bool; the option alone sets false; as a key: true or false */
    OPTION_TEXT,         /* const char *: the argument itself, not a copy */
    OPTION_LIST,         /* struct text_list (server/config.h); the option may be repeated */
    OPTION_LIMIT,        /* struct limits; "name=value" (limit_option.h); may be repeated */
    OPTION_NUMBER,       /* unsigned or uint32_t */
    OPTION_LARGE,        /* uint64_t or size_t */
    OPTION_SECONDS,      /* herald_time; "3", "0.5" */
    OPTION_CHOICE,       /* int or enum */
    OPTION_CHOICE_MAYBE, /* the same; without an argument `minimum` is stored */
    OPTION_HELP,         /* prints the help */
    OPTION_IGNORED_FLAG, /* known elsewhere, means nothing here: one warning line */
    OPTION_IGNORED       /* the same with an argument */
};

struct option_choice {
    const char *text;
    int value;
};

struct option {
    const char *section;  /* heading in the help; NULL: as the row before */
    const char *name;     /* without its dashes; NULL: a configuration key only */
    char letter;          /* "-b"; 0: none */
    const char *aliases;  /* more names, separated by spaces; may be NULL */
    const char *key;      /* in configuration files; NULL: none */
    const char *argument; /* for the help: "ADDRESS" */
    const char *help;     /* what it does; of an ignored one: why it means nothing here */
    enum option_kind kind;
    size_t offset;
    uint64_t minimum, maximum; /* of numbers; maximum 0: none but the type's; seconds likewise */
    const struct option_choice *choices; /* ends with text NULL */
};

#define OPTIONS_MAXIMUM 128

struct option_table {
    const char *command;  /* "serve" */
    const char *usage;    /* "herald serve [options] TARGET" */
    const char *summary;  /* a paragraph; may be NULL */
    const char *epilogue; /* after the options; may be NULL */
    const struct option *options;
    size_t count; /* at most OPTIONS_MAXIMUM */
};

/* Where a value came from, for messages: "--bind" or "herald.toml: bind". */
#define OPTION_ERROR_MAXIMUM 400

struct option_parse {
    const struct option_table *table;
    void *target;
    bool quiet;                          /* no warnings about ignored options */
    unsigned char seen[OPTIONS_MAXIMUM]; /* given on the command line */
    const char **operands;               /* the caller's, room for argc */
    size_t operand_count;
};

enum option_result { OPTION_DONE = 0, OPTION_REFUSED = -1, OPTION_HELP_SHOWN = 1 };

/* Reads argv[1..]: "--name value", "--name=value", "-n value", "-nvalue", "--" ends the options.
 * OPTION_REFUSED: one line has been written (exit code 2). OPTION_HELP_SHOWN: exit code 0. Text
 * points into argv. */
enum option_result options_parse(struct option_parse *parse, int argc, char **argv);

/* Stores one value. `first`: a list is emptied before. Returns 0 or -1 with a phrase in `error`
 * ("'abc' is not a number from 1 to 64"). */
int option_set(const struct option *option, void *target, const char *value, int first,
               char error[OPTION_ERROR_MAXIMUM]);

/* The row with this configuration key, or NULL. */
const struct option *option_by_key(const struct option_table *table, const char *key);

/* The help text of the whole table. */
void options_help(const struct option_table *table, FILE *file);

#endif

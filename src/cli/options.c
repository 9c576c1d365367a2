#include "cli/options.h"

#include "base/time.h"
#include "cli/cli.h"
#include "cli/limit_option.h"
#include "cli/nearest.h"
#include "server/config.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool takes_argument(const struct option *option)
{
    switch (option->kind) {
    case OPTION_ON:
    case OPTION_OFF:
    case OPTION_HELP:
    case OPTION_IGNORED_FLAG:
        return false;
    default:
        return true;
    }
}

static void *member(const struct option *option, void *target)
{
    return (char *)target + option->offset;
}

static int set_number(const struct option *option, void *target, const char *value,
                      char error[OPTION_ERROR_MAXIMUM])
{
    uint64_t most = option->kind == OPTION_NUMBER ? UINT32_MAX : UINT64_MAX;
    if (option->maximum != 0)
        most = option->maximum;
    uint64_t number = 0;
    int result = span_to_unsigned(span_from_text(value), most, &number);
    if (result < 0 || number < option->minimum) {
        snprintf(error, OPTION_ERROR_MAXIMUM, "'%s' is not a whole number from %llu to %llu", value,
                 (unsigned long long)option->minimum, (unsigned long long)most);
        return -1;
    }
    if (option->kind == OPTION_NUMBER)
        *(uint32_t *)member(option, target) = (uint32_t)number;
    else
        *(uint64_t *)member(option, target) = number;
    return 0;
}

static int set_seconds(const struct option *option, void *target, const char *value,
                       char error[OPTION_ERROR_MAXIMUM])
{
    const double most = option->maximum != 0 ? (double)option->maximum : 1e9;
    char *end = NULL;
    errno = 0;
    double seconds = strtod(value, &end);
    bool plain = *value != '\0' && strspn(value, "0123456789.") == strlen(value);
    if (!plain || *end != '\0' || errno != 0 || !(seconds <= most) ||
        seconds < (double)option->minimum) {
        snprintf(error, OPTION_ERROR_MAXIMUM, "'%s' is not a time in seconds from %llu to %.0f",
                 value, (unsigned long long)option->minimum, most);
        return -1;
    }
    *(herald_time *)member(option, target) = (herald_time)llround(seconds * 1e9);
    return 0;
}

static const struct option_choice *find_choice(const struct option *option, const char *value)
{
    for (const struct option_choice *choice = option->choices; choice->text != NULL; choice++)
        if (span_equals_ignoring_case(span_from_text(choice->text), span_from_text(value)))
            return choice;
    return NULL;
}

static int set_choice(const struct option *option, void *target, const char *value,
                      char error[OPTION_ERROR_MAXIMUM])
{
    if (value == NULL) {
        *(int *)member(option, target) = (int)option->minimum;
        return 0;
    }
    const struct option_choice *found = find_choice(option, value);
    if (found != NULL) {
        *(int *)member(option, target) = found->value;
        return 0;
    }
    int length = snprintf(error, OPTION_ERROR_MAXIMUM, "'%s' is not one of", value);
    for (const struct option_choice *choice = option->choices; choice->text != NULL; choice++) {
        if (length < 0 || length >= OPTION_ERROR_MAXIMUM)
            break;
        length += snprintf(error + length, (size_t)(OPTION_ERROR_MAXIMUM - length), "%s %s",
                           choice == option->choices ? "" : ",", choice->text);
    }
    return -1;
}

static int set_flag(const struct option *option, void *target, const char *value,
                    char error[OPTION_ERROR_MAXIMUM])
{
    bool *flag = member(option, target);
    if (value == NULL)
        *flag = option->kind == OPTION_ON;
    else if (strcmp(value, "true") == 0)
        *flag = true;
    else if (strcmp(value, "false") == 0)
        *flag = false;
    else {
        snprintf(error, OPTION_ERROR_MAXIMUM, "'%s' is not true or false", value);
        return -1;
    }
    return 0;
}

static int set_list(const struct option *option, void *target, const char *value, int first,
                    char error[OPTION_ERROR_MAXIMUM])
{
    struct text_list *list = member(option, target);
    if (first)
        list->count = 0;
    if (list->count == TEXT_LIST_MAXIMUM) {
        snprintf(error, OPTION_ERROR_MAXIMUM, "given more than %d times", TEXT_LIST_MAXIMUM);
        return -1;
    }
    list->items[list->count++] = value;
    return 0;
}

int option_set(const struct option *option, void *target, const char *value, int first,
               char error[OPTION_ERROR_MAXIMUM])
{
    switch (option->kind) {
    case OPTION_ON:
    case OPTION_OFF:
        return set_flag(option, target, value, error);
    case OPTION_TEXT:
        *(const char **)member(option, target) = value;
        return 0;
    case OPTION_LIST:
        return set_list(option, target, value, first, error);
    case OPTION_LIMIT:
        return limit_set(member(option, target), value, error);
    case OPTION_NUMBER:
    case OPTION_LARGE:
        return set_number(option, target, value, error);
    case OPTION_SECONDS:
        return set_seconds(option, target, value, error);
    case OPTION_CHOICE:
    case OPTION_CHOICE_MAYBE:
        return set_choice(option, target, value, error);
    default:
        return 0;
    }
}

static bool has_word(const char *words, const char *name, size_t length)
{
    while (words != NULL && *words != '\0') {
        size_t word = strcspn(words, " ");
        if (word == length && memcmp(words, name, length) == 0)
            return true;
        words += word;
        words += strspn(words, " ");
    }
    return false;
}

static const struct option *by_name(const struct option_table *table, const char *name,
                                    size_t length)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct option *option = &table->options[i];
        if (option->name != NULL &&
            (has_word(option->name, name, length) || has_word(option->aliases, name, length)))
            return option;
    }
    return NULL;
}

static const struct option *by_letter(const struct option_table *table, char letter)
{
    for (size_t i = 0; i < table->count; i++)
        if (table->options[i].letter == letter)
            return &table->options[i];
    return NULL;
}

const struct option *option_by_key(const struct option_table *table, const char *key)
{
    for (size_t i = 0; i < table->count; i++)
        if (table->options[i].key != NULL && strcmp(table->options[i].key, key) == 0)
            return &table->options[i];
    return NULL;
}

static void unknown(const struct option_table *table, const char *text)
{
    char name[NEAREST_WORD_MAXIMUM + 1];
    const char *bare = text + strspn(text, "-");
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(bare, "="), bare);
    struct nearest nearest = {.wanted = name};
    for (size_t i = 0; i < table->count; i++)
        if (table->options[i].name != NULL)
            nearest_consider(&nearest, table->options[i].name);
    int shown = (int)strcspn(text, "=");
    if (nearest.word != NULL && text[1] == '-')
        cli_usage_error("unknown option '%.*s'; did you mean '--%s'?", shown, text, nearest.word);
    else
        cli_usage_error("unknown option '%.*s'; 'herald %s --help' lists them", shown, text,
                        table->command);
}

/* `spelt`: the option as the user wrote it, without its value. */
static enum option_result apply(struct option_parse *parse, const struct option *option,
                                const char *spelt, const char *value)
{
    if (option->kind == OPTION_HELP) {
        options_help(parse->table, stdout);
        return OPTION_HELP_SHOWN;
    }
    if (option->kind == OPTION_IGNORED || option->kind == OPTION_IGNORED_FLAG) {
        if (!parse->quiet)
            cli_warning("%s is ignored: %s", spelt, option->help);
        return OPTION_DONE;
    }
    size_t row = (size_t)(option - parse->table->options);
    char error[OPTION_ERROR_MAXIMUM];
    if (option_set(option, parse->target, value, !parse->seen[row], error) < 0) {
        cli_usage_error("%s: %s", spelt, error);
        return OPTION_REFUSED;
    }
    parse->seen[row] = 1;
    return OPTION_DONE;
}

struct argument_reader {
    int count, next;
    char **words;
};

static const char *next_word(struct argument_reader *reader)
{
    return reader->next < reader->count ? reader->words[reader->next++] : NULL;
}

static enum option_result parse_long(struct option_parse *parse, struct argument_reader *reader,
                                     const char *word)
{
    const char *name = word + 2;
    size_t length = strcspn(name, "=");
    const char *value = name[length] == '=' ? name + length + 1 : NULL;
    const struct option *option = by_name(parse->table, name, length);
    if (option == NULL) {
        unknown(parse->table, word);
        return OPTION_REFUSED;
    }
    char spelt[NEAREST_WORD_MAXIMUM + 1];
    snprintf(spelt, sizeof(spelt), "--%.*s", (int)length, name);
    if (!takes_argument(option) && value != NULL) {
        cli_usage_error("%s takes no value", spelt);
        return OPTION_REFUSED;
    }
    if (option->kind == OPTION_CHOICE_MAYBE) {
        if (value == NULL && reader->next < reader->count &&
            find_choice(option, reader->words[reader->next]) != NULL)
            value = next_word(reader);
        return apply(parse, option, spelt, value);
    }
    if (takes_argument(option) && value == NULL)
        value = next_word(reader);
    if (takes_argument(option) && value == NULL) {
        cli_usage_error("%s needs a value: %s", spelt, option->argument);
        return OPTION_REFUSED;
    }
    return apply(parse, option, spelt, value);
}

/* "-vw4": letters without an argument may share a dash; the first that takes one takes the rest. */
static enum option_result parse_letters(struct option_parse *parse, struct argument_reader *reader,
                                        const char *word)
{
    for (const char *letter = word + 1; *letter != '\0'; letter++) {
        char spelt[3] = {'-', *letter, '\0'};
        const struct option *option = by_letter(parse->table, *letter);
        if (option == NULL) {
            unknown(parse->table, spelt);
            return OPTION_REFUSED;
        }
        const char *value = NULL;
        if (takes_argument(option) && option->kind != OPTION_CHOICE_MAYBE) {
            value = letter[1] != '\0' ? letter + 1 : next_word(reader);
            if (value == NULL) {
                cli_usage_error("%s needs a value: %s", spelt, option->argument);
                return OPTION_REFUSED;
            }
        }
        enum option_result result = apply(parse, option, spelt, value);
        if (result != OPTION_DONE || value != NULL)
            return result;
    }
    return OPTION_DONE;
}

enum option_result options_parse(struct option_parse *parse, int argc, char **argv)
{
    struct argument_reader reader = {argc, 1, argv};
    bool options = true;
    for (const char *word = next_word(&reader); word != NULL; word = next_word(&reader)) {
        enum option_result result = OPTION_DONE;
        if (!options || word[0] != '-' || word[1] == '\0')
            parse->operands[parse->operand_count++] = word;
        else if (strcmp(word, "--") == 0)
            options = false;
        else if (word[1] == '-')
            result = parse_long(parse, &reader, word);
        else
            result = parse_letters(parse, &reader, word);
        if (result != OPTION_DONE)
            return result;
    }
    return OPTION_DONE;
}

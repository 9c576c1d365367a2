#include "cli/options.h"

#include <string.h>

#define HELP_WIDTH  92
#define HELP_INDENT 30

/* Prints `text` wrapped at words, from column `column` on, later lines indented. */
static void print_wrapped(FILE *file, const char *text, size_t column, size_t indent)
{
    while (*text != '\0') {
        size_t word = strcspn(text, " \n");
        if (column > indent && column + 1 + word > HELP_WIDTH) {
            fprintf(file, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', file);
            column++;
        }
        fprintf(file, "%.*s", (int)word, text);
        column += word;
        text += word;
        if (*text == '\n') {
            fprintf(file, "\n%*s", (int)indent, "");
            column = indent;
            text++;
        }
        text += strspn(text, " ");
    }
    fputc('\n', file);
}

static void print_choices(FILE *file, const struct option *option)
{
    const char *separator = "";
    for (const struct option_choice *choice = option->choices; choice->text != NULL; choice++) {
        fprintf(file, "%s%s", separator, choice->text);
        separator = "|";
    }
}

static size_t choices_length(const struct option *option)
{
    size_t length = 0;
    for (const struct option_choice *choice = option->choices; choice->text != NULL; choice++)
        length += strlen(choice->text) + (choice == option->choices ? 0 : 1);
    return length;
}

static void print_option(FILE *file, const struct option *option)
{
    size_t column = 6 + 2 + strlen(option->name);
    if (option->letter != 0)
        fprintf(file, "  -%c, --%s", option->letter, option->name);
    else
        fprintf(file, "      --%s", option->name);
    if (option->choices != NULL && option->argument == NULL) {
        bool maybe = option->kind == OPTION_CHOICE_MAYBE;
        fputs(maybe ? " [" : " ", file);
        print_choices(file, option);
        fputs(maybe ? "]" : "", file);
        column += 1 + choices_length(option) + (maybe ? 2 : 0);
    } else if (option->argument != NULL) {
        fprintf(file, " %s", option->argument);
        column += 1 + strlen(option->argument);
    }
    if (column + 2 > HELP_INDENT) {
        fputc('\n', file);
        column = 0;
    }
    fprintf(file, "%*s", (int)(HELP_INDENT - column), "");
    print_wrapped(file, option->help, HELP_INDENT, HELP_INDENT);
}

void options_help(const struct option_table *table, FILE *file)
{
    fprintf(file, "usage: %s\n", table->usage);
    if (table->summary != NULL) {
        fputc('\n', file);
        print_wrapped(file, table->summary, 0, 0);
    }
    for (size_t i = 0; i < table->count; i++) {
        const struct option *option = &table->options[i];
        if (option->section != NULL)
            fprintf(file, "\n%s:\n", option->section);
        bool ignored = option->kind == OPTION_IGNORED || option->kind == OPTION_IGNORED_FLAG;
        if (option->name != NULL && option->help != NULL && !ignored)
            print_option(file, option);
    }
    if (table->epilogue != NULL)
        fprintf(file, "\n%s\n", table->epilogue);
}

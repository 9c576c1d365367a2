#include "cli/cli.h"

#include "cli/nearest.h"

#include <stdio.h>
#include <string.h>

static int command_version(int argc, char **argv, const struct application_runner *runner);
static int command_help(int argc, char **argv, const struct application_runner *runner);

static const struct command commands[] = {
    {"serve", "serve an application, a folder or an upstream server", command_serve},
    {"get", "fetch URLs; -v prints every frame", command_get},
    {"bench", "put load on a server and measure it", command_bench},
    {"cert", "make a local CA and a certificate for development", command_cert},
    {"version", "print the version", command_version},
    {"help", "this text, or the help of a command", command_help},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int unknown_command(const char *name)
{
    struct nearest nearest = {.wanted = name};
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        nearest_consider(&nearest, commands[i].name);
    if (nearest.word != NULL)
        return cli_usage_error("unknown command '%s'; did you mean '%s'?", name, nearest.word);
    return cli_usage_error("unknown command '%s'; 'herald help' lists them", name);
}

static void print_help(FILE *file)
{
    fputs("usage: herald COMMAND ...\n\n"
          "An HTTP/1.1 and HTTP/2 server and client that announces what a client will need:\n"
          "server push, 103 Early Hints, stream priorities.\n\n",
          file);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(file, "  %-9s%s\n", commands[i].name, commands[i].summary);
    fputs("\nherald COMMAND --help says more about one.\n", file);
}

static int command_version(int argc, char **argv, const struct application_runner *runner)
{
    (void)argc;
    (void)argv;
    printf("herald %s%s%s\n", HERALD_VERSION, runner == NULL ? "" : " with ",
           runner == NULL ? "" : runner->name);
    return EXIT_CODE_OK;
}

static int command_help(int argc, char **argv, const struct application_runner *runner)
{
    if (argc < 2) {
        print_help(stdout);
        return EXIT_CODE_OK;
    }
    const struct command *command = find_command(argv[1]);
    if (command == NULL)
        return unknown_command(argv[1]);
    if (command->run == command_help || command->run == command_version) {
        print_help(stdout);
        return EXIT_CODE_OK;
    }
    char *words[] = {argv[1], (char *)"--help", NULL};
    return command->run(2, words, runner);
}

int cli_main(int argc, char **argv, const struct application_runner *runner)
{
    if (argc < 2) {
        print_help(stderr);
        return EXIT_CODE_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        name = "version";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    const struct command *command = find_command(name);
    return command == NULL ? unknown_command(name) : command->run(argc - 1, argv + 1, runner);
}

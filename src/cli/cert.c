#include "cli/cli.h"
#include "cli/options.h"
#include "net/certificate.h"
#include "server/config.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct cert_options {
    struct text_list hosts;
    const char *directory;
    bool force, only_ca;
};

#define AT(member) offsetof(struct cert_options, member)

static const struct option options[] = {
    {.section = "Options",
     .name = "host",
     .argument = "NAME",
     .kind = OPTION_LIST,
     .offset = AT(hosts),
     .help = "a host name or IP address the certificate is for, beside localhost, 127.0.0.1 and "
             "::1; may be repeated"},
    {.name = "out-dir",
     .letter = 'o',
     .argument = "FOLDER",
     .kind = OPTION_TEXT,
     .offset = AT(directory),
     .help = "where the files are; default: $XDG_DATA_HOME/herald or ~/.local/share/herald"},
    {.name = "force",
     .letter = 'f',
     .kind = OPTION_ON,
     .offset = AT(force),
     .help = "make a new CA and certificate even where good ones are there; what trusted the old "
             "CA has to be told again"},
    {.name = "ca",
     .kind = OPTION_ON,
     .offset = AT(only_ca),
     .help = "print the path of the CA certificate and nothing else"},
    {.name = "help", .letter = 'h', .kind = OPTION_HELP, .help = "this text"},
};

static const struct option_table table = {
    .command = "cert",
    .usage = "herald cert [options]",
    .summary = "Makes a local certification authority and a certificate for this machine, for "
               "development. What is there and good is kept. `herald serve` uses them when it is "
               "given no certificate, and `herald get` trusts them for hosts on this machine.",
    .epilogue = "Examples:\n"
                "  curl --cacert \"$(herald cert --ca)\" https://localhost:8443/\n"
                "  herald cert --host dev.example.org --host 192.0.2.7",
    .options = options,
    .count = sizeof(options) / sizeof(options[0]),
};

static void print_line(const char *what, const char *path, bool made, int64_t expires)
{
    char date[32] = "";
    time_t seconds = (time_t)expires;
    struct tm broken;

    if (expires != 0 && gmtime_r(&seconds, &broken) != NULL)
        strftime(date, sizeof(date), ", valid until %Y-%m-%d", &broken);
    printf("%-12s %s%s%s\n", what, path, made ? " (new)" : "", date);
}

static void print_result(const struct certificate_result *result)
{
    const struct certificate_paths *paths = &result->paths;

    print_line("CA", paths->ca_certificate, result->made_ca, result->ca_expires);
    print_line("certificate", paths->leaf_certificate, result->made_leaf, result->leaf_expires);
    print_line("key", paths->leaf_key, result->made_leaf, 0);
    printf("\nTo let a browser or another program trust it, import the CA file, for example:\n"
           "  curl --cacert '%s' https://localhost:8443/\n",
           paths->ca_certificate);
}

int command_cert(int argc, char **argv, const struct application_runner *runner)
{
    struct cert_options chosen = {0};
    const char **room = calloc((size_t)argc + 1, sizeof(*room));
    struct option_parse parse = {.table = &table, .target = &chosen};
    struct certificate_result *result = malloc(sizeof(*result));
    struct tls_error error = {{0}};
    int exit_code = EXIT_CODE_OK;

    (void)runner;
    if (room == NULL || result == NULL) {
        exit_code = cli_failure("out of memory");
        goto out;
    }
    parse.operands = room;
    enum option_result parsed = options_parse(&parse, argc, argv);
    if (parsed != OPTION_DONE) {
        exit_code = parsed == OPTION_HELP_SHOWN ? EXIT_CODE_OK : EXIT_CODE_USAGE;
        goto out;
    }
    if (parse.operand_count > 0) {
        exit_code = cli_usage_error("herald cert takes no argument '%s'; names are given with "
                                    "--host",
                                    parse.operands[0]);
        goto out;
    }
    struct certificate_request request = {
        .directory = chosen.directory,
        .hosts = chosen.hosts.items,
        .host_count = chosen.hosts.count,
        .force = chosen.force,
    };
    int code = certificate_ensure(&request, result, &error);
    if (code != 0)
        exit_code =
            code == HERALD_ERROR_INVALID
                ? cli_usage_error("%s", error.text)
                : cli_failure("%s", error.text[0] != '\0' ? error.text : herald_error_text(code));
    else if (chosen.only_ca)
        puts(result->paths.ca_certificate);
    else
        print_result(result);
out:
    free(room);
    free(result);
    return exit_code;
}

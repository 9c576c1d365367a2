#include "cli/serve.h"

#include "cli/cli.h"
#include "h3/h3.h"
#include "net/certificate.h"
#include "server/access_format.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_BIND "127.0.0.1:8443"

static int ensure_certificate(struct serve_config *config)
{
    struct certificate_result made;
    struct tls_error error = {""};
    const struct certificate_request request = {0};
    int result = certificate_ensure(&request, &made, &error);
    if (result < 0) {
        cli_failure("cannot make a development certificate: %s; give --certfile and --keyfile",
                    error.text[0] != '\0' ? error.text : herald_error_text(result));
        return HERALD_ERROR_IO;
    }
    if (serve_config_append(config, &config->certfile,
                            span_from_text(made.paths.leaf_certificate)) < 0 ||
        serve_config_append(config, &config->keyfile, span_from_text(made.paths.leaf_key)) < 0)
        return HERALD_ERROR_NOMEM;
    return 0;
}

static int check_readable(const char *option, const char *path)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        cli_usage_error("%s '%s': %s", option, path, strerror(errno));
        return HERALD_ERROR_CONFIG;
    }
    close(descriptor);
    return 0;
}

static int check_tls_files(const struct serve_config *config)
{
    int result = 0;
    if (config->keyfile.count != 0 && config->keyfile.count != config->certfile.count) {
        cli_usage_error("--certfile and --keyfile: %zu certificates but %zu keys",
                        config->certfile.count, config->keyfile.count);
        return HERALD_ERROR_CONFIG;
    }
    for (size_t i = 0; i < config->certfile.count && result == 0; i++)
        result = check_readable("--certfile", config->certfile.items[i]);
    for (size_t i = 0; i < config->keyfile.count && result == 0; i++)
        result = check_readable("--keyfile", config->keyfile.items[i]);
    if (result == 0 && config->ca_certs != NULL)
        result = check_readable("--ca-certs", config->ca_certs);
    if (result == 0 && config->verify_mode != VERIFY_NONE && config->ca_certs == NULL) {
        cli_usage_error("--verify-mode needs --ca-certs: who signs client certificates?");
        result = HERALD_ERROR_CONFIG;
    }
    return result;
}

/* OpenSSL's cipher strings mean nothing to GnuTLS; a Hypercorn file may have one. */
static void check_ciphers(struct serve_config *config)
{
    static const char *const starts[] = {"NORMAL", "PFS",   "SECURE", "PERFORMANCE", "NONE",
                                         "LEGACY", "SUITE", "@",      "SYSTEM"};
    if (config->ciphers == NULL)
        return;
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
        if (strncmp(config->ciphers, starts[i], strlen(starts[i])) == 0)
            return;
    cli_warning("--ciphers '%s' is not a GnuTLS priority string and is ignored: the default has "
                "forward secrecy and AEAD only",
                config->ciphers);
    config->ciphers = NULL;
}

static int complete_addresses(struct serve_config *config)
{
    if (config->quic_bind.count > 0 && config->worker == 0 && h3_engine.create == NULL)
        cli_warning("--quic-bind is ignored: this build has no QUIC");
    if (config->bind.count == 0 && config->insecure_bind.count == 0)
        return serve_config_append(config, &config->bind, span_from_text(DEFAULT_BIND));
    return 0;
}

static int check_log_format(const struct serve_config *config)
{
    struct access_format format;
    const char *bad;
    int result = access_format_compile(&format, config->access_log_format, &bad);
    if (result == 0)
        access_format_free(&format);
    else if (result == HERALD_ERROR_INVALID)
        cli_usage_error("--access-logformat: unknown atom at '%s'; %%(h)s, %%(r)s, %%(s)s and "
                        "their like are accepted, see 'herald serve --help'",
                        bad);
    else
        cli_usage_error("--access-logformat: too many parts");
    return result == 0 ? 0 : HERALD_ERROR_CONFIG;
}

/* One limit may be given alone; those that make no sense below it follow. */
static void harmonise(struct limits *limits)
{
    if (limits->connection_window < limits->stream_window)
        limits->connection_window = limits->stream_window;
    if (limits->stream_window_maximum < limits->stream_window)
        limits->stream_window_maximum = limits->stream_window;
    if (limits->connection_window_maximum < limits->connection_window)
        limits->connection_window_maximum = limits->connection_window;
    /* A peer that keeps to its credit must never meet the account's end. */
    size_t memory = (size_t)limits->connection_window_maximum + limits_default.connection_memory -
                    limits_default.connection_window_maximum;
    if (limits->connection_memory < memory)
        limits->connection_memory = memory;
}

int serve_complete(struct serve_config *config)
{
    harmonise(&config->limits);
    int result = check_log_format(config);
    if (result == 0)
        result = complete_addresses(config);
    if (result < 0 || config->bind.count == 0)
        return result;
    check_ciphers(config);
    if (config->certfile.count == 0 && config->keyfile.count == 0)
        return ensure_certificate(config);
    return check_tls_files(config);
}

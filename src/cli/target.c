#include "cli/target.h"

#include "net/address.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static bool is_letter(char letter)
{
    /* Python takes any letter of Unicode in a name. */
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || letter == '_' ||
           (unsigned char)letter >= 0x80;
}

/* "a.b_c.d2" */
static bool is_dotted_name(const char *text, size_t length)
{
    bool start = true;
    for (size_t i = 0; i < length; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        if (text[i] == '.' ? start : !(is_letter(text[i]) || (digit && !start)))
            return false;
        start = text[i] == '.';
    }
    return !start;
}

static bool is_application(const char *text)
{
    const char *colon = strchr(text, ':');
    if (colon == NULL || !is_dotted_name(text, (size_t)(colon - text)))
        return false;
    /* "module:make_app()" calls a factory. */
    size_t length = strlen(colon + 1);
    if (length > 2 && strcmp(colon + 1 + length - 2, "()") == 0)
        length -= 2;
    return is_dotted_name(colon + 1, length);
}

static bool is_written_as_path(const char *text)
{
    size_t length = strlen(text);
    return text[0] == '/' || strcmp(text, ".") == 0 || strcmp(text, "..") == 0 ||
           strncmp(text, "./", 2) == 0 || strncmp(text, "../", 3) == 0 ||
           (length > 0 && text[length - 1] == '/');
}

static bool exists(const char *format, const char *name, mode_t kind)
{
    char path[1024];
    struct stat status;
    int length = snprintf(path, sizeof(path), format, name);
    return length > 0 && length < (int)sizeof(path) && stat(path, &status) == 0 &&
           (status.st_mode & S_IFMT) == kind;
}

static int refuse(char error[TARGET_ERROR_MAXIMUM], const char *text, const char *reason)
{
    snprintf(error, TARGET_ERROR_MAXIMUM, "'%s': %s", text, reason);
    return HERALD_ERROR_CONFIG;
}

static int decide_upstream(const char *text, const char *rest, char error[TARGET_ERROR_MAXIMUM])
{
    char authority[300];
    size_t length = strcspn(rest, "/?#");
    struct address address;
    if (length == 0 || length >= sizeof(authority))
        return refuse(error, text, "not a URL: no host; expected http://host:port");
    if (rest[length] == '?' || rest[length] == '#')
        return refuse(error, text, "an upstream is http://host:port/path, without query");
    memcpy(authority, rest, length);
    authority[length] = '\0';
    if (strchr(authority, '@') != NULL)
        return refuse(error, text, "a user name in an upstream's URL is not used");
    if (address_parse(authority, 80, &address) < 0 || address.kind != ADDRESS_INET ||
        address.host[0] == '\0' || address.port == 0)
        return refuse(error, text, "not a URL: expected http://host:port");
    for (const char *letter = text; *letter != '\0'; letter++)
        if ((unsigned char)*letter <= 0x20 || (unsigned char)*letter >= 0x7f)
            return refuse(error, text,
                          "not a URL: spaces and letters beyond ASCII are not allowed");
    return 0;
}

static int decide_folder(const char *text, char error[TARGET_ERROR_MAXIMUM])
{
    struct stat status;
    if (stat(text, &status) < 0)
        return refuse(error, text, errno == ENOENT ? "no such folder" : strerror(errno));
    if (!S_ISDIR(status.st_mode))
        return refuse(error, text, "not a folder; give the folder that the file is in");
    return 0;
}

static int decide_application(struct serve_config *config, const char *text)
{
    char spelt[1024];
    const char *form = strchr(text, ':') == NULL ? "%s:app" : "%s";
    snprintf(spelt, sizeof(spelt), form, text);
    config->target = serve_config_text(config, span_from_text(spelt));
    config->target_kind = TARGET_APPLICATION;
    return config->target == NULL ? HERALD_ERROR_NOMEM : 0;
}

static bool has_interface(struct serve_config *config, const char **text)
{
    bool asgi = strncmp(*text, "asgi:", 5) == 0, wsgi = strncmp(*text, "wsgi:", 5) == 0;
    if ((!asgi && !wsgi) || !is_application(*text + 5))
        return false;
    config->interface = asgi ? INTERFACE_ASGI : INTERFACE_WSGI;
    *text += 5;
    return true;
}

int target_decide(struct serve_config *config, const char *text, char error[TARGET_ERROR_MAXIMUM])
{
    config->target = text;
    const char *scheme = strstr(text, "://");
    bool cleartext = strncasecmp(text, "http://", 7) == 0;
    if (cleartext || strncasecmp(text, "https://", 8) == 0) {
        config->target_kind = TARGET_UPSTREAM;
        return decide_upstream(text, scheme + 3, error);
    }
    if (scheme != NULL && !is_written_as_path(text))
        return refuse(error, text, "unknown scheme; an upstream is http:// or https://");
    if (has_interface(config, &text))
        return decide_application(config, text);
    bool package = exists("%s/__init__.py", text, S_IFREG);
    if (is_written_as_path(text) || (exists("%s", text, S_IFDIR) && !package)) {
        config->target_kind = TARGET_FOLDER;
        return decide_folder(text, error);
    }
    if (is_application(text))
        return decide_application(config, text);
    if (is_dotted_name(text, strlen(text)) && (package || exists("%s.py", text, S_IFREG)))
        return decide_application(config, text);
    return refuse(error, text,
                  "neither a folder that is there, nor module:attr, nor http://host:port");
}

#include "cli/config_reader.h"

#include "cli/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Prints one JSON object. Names of a Python file that begin with an underscore, modules, functions
 * and classes are its own business. The last line of an error goes out as {"": text}. */
static const char reader[] =
    "import enum, json, os, sys, types\n"
    "def plain(v):\n"
    "    if isinstance(v, enum.Enum): return v.name\n"
    "    if isinstance(v, bool) or v is None or isinstance(v, (int, float, str)): return v\n"
    "    if isinstance(v, os.PathLike): return os.fspath(v)\n"
    "    if isinstance(v, (list, tuple, set)): return [plain(i) for i in v]\n"
    "    if isinstance(v, dict): return {str(k): plain(i) for k, i in v.items()}\n"
    "    return repr(v)\n"
    "def names(space):\n"
    "    return {k: plain(v) for k, v in space.items() if not k.startswith('_')\n"
    "            and not isinstance(v, (types.ModuleType, type)) and not callable(v)}\n"
    "kind, path = sys.argv[1:3]\n"
    "out = os.dup(1)\n"
    "os.dup2(2, 1)\n"
    "sys.path.insert(0, os.getcwd())\n"
    "try:\n"
    "    if kind == 'toml':\n"
    "        try: import tomllib\n"
    "        except ImportError: import tomli as tomllib\n"
    "        with open(path, 'rb') as f: result = plain(tomllib.load(f))\n"
    "    elif kind == 'module':\n"
    "        import importlib\n"
    "        result = names(vars(importlib.import_module(path)))\n"
    "    else:\n"
    "        with open(path, 'rb') as f: code = compile(f.read(), path, 'exec')\n"
    "        space = {'__file__': path, '__name__': 'herald_config'}\n"
    "        exec(code, space)\n"
    "        result = names(space)\n"
    "except BaseException as e:\n"
    "    where = getattr(e, 'lineno', None)\n"
    "    trace = e.__traceback__\n"
    "    while trace is not None:\n"
    "        if trace.tb_frame.f_code.co_filename == path: where = trace.tb_lineno\n"
    "        trace = trace.tb_next\n"
    "    at = f'line {where}: ' if where else ''\n"
    "    result = {'': at + type(e).__name__ + ': ' + ' '.join(str(e).split())}\n"
    "os.write(out, json.dumps(result).encode())\n";

static const char *const format_words[] = {
    [CONFIG_PYTHON] = "py", [CONFIG_PYTHON_MODULE] = "module", [CONFIG_TOML] = "toml"};

static int spawn_reader(const char *python, enum config_format format, const char *path,
                        int output[2], pid_t *child)
{
    if (pipe2(output, O_CLOEXEC) < 0)
        return errno;
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error == 0) {
        char *const arguments[] = {(char *)python, (char *)"-c",
                                   (char *)reader, (char *)format_words[format],
                                   (char *)path,   NULL};
        posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
        error = posix_spawnp(child, python, &actions, NULL, arguments, environ);
        posix_spawn_file_actions_destroy(&actions);
    }
    close(output[1]);
    if (error != 0)
        close(output[0]);
    return error;
}

static int read_all(int descriptor, struct buf *text)
{
    for (;;) {
        uint8_t *room = buf_reserve(text, 4096, NULL);
        if (room == NULL)
            return HERALD_ERROR_LIMIT;
        ssize_t length = read(descriptor, room, 4096);
        if (length < 0 && errno == EINTR)
            continue;
        if (length <= 0)
            return length == 0 ? 0 : HERALD_ERROR_IO;
        buf_commit(text, (size_t)length);
    }
}

json_t *config_read_python(enum config_format format, const char *path, const char *python,
                           char reason[CONFIG_REASON_MAXIMUM])
{
    if (python == NULL)
        python = "python3";
    int output[2];
    pid_t child;
    int error = spawn_reader(python, format, path, output, &child);
    if (error != 0) {
        snprintf(reason, CONFIG_REASON_MAXIMUM, "needs Python to be read: cannot run %s: %s",
                 python, strerror(error));
        return NULL;
    }
    struct buf text;
    buf_init(&text, CONFIG_FILE_MAXIMUM, NULL);
    int result = read_all(output[0], &text);
    close(output[0]);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;

    json_t *json = NULL;
    if (result < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        snprintf(reason, CONFIG_REASON_MAXIMUM, "%s could not read it", python);
    else
        json = config_read_json(buf_span(&text), reason);
    buf_free(&text);

    const char *message = json_string_value(json_object_get(json, ""));
    if (message != NULL) {
        snprintf(reason, CONFIG_REASON_MAXIMUM, "%s", message);
        json_decref(json);
        json = NULL;
    }
    return json;
}

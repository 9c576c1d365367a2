#include "cli/serve.h"

#include "cli/cli.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Whether `python3` has the package; -1 when it cannot be run at all (errno). The working folder is
 * left out of the search: a folder of that name is not the package. */
static int has_package(void)
{
    static const char question[] = "import importlib.util, sys\n"
                                   "sys.path = [p for p in sys.path if p]\n"
                                   "sys.exit(0 if importlib.util.find_spec('herald') else 1)\n";
    char *const words[] = {(char *)"python3", (char *)"-c", (char *)question, NULL};
    pid_t child;
    int status = 0;
    errno = posix_spawnp(&child, words[0], NULL, NULL, words, environ);
    if (errno != 0)
        return -1;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int serve_through_python(char **argv)
{
    size_t count = 0;
    while (argv[count] != NULL)
        count++;
    int found = has_package();
    if (found < 0)
        return cli_failure("an application needs Python: cannot run python3: %s", strerror(errno));
    if (found == 0)
        return cli_failure("an application needs the Python package: 'pip install herald' for the "
                           "python3 on PATH, or run the herald command of its environment");
    char **words = calloc(count + 4, sizeof(*words));
    if (words == NULL)
        return cli_failure("%s", herald_error_text(HERALD_ERROR_NOMEM));
    words[0] = (char *)"python3";
    words[1] = (char *)"-m";
    words[2] = (char *)"herald";
    memcpy(words + 3, argv, count * sizeof(*words));
    execvp(words[0], words);
    free(words);
    return cli_failure("cannot run python3: %s", strerror(errno));
}

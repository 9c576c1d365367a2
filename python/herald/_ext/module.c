/* The module herald._ext: the command line with a runner for Python applications registered. */
#include "cli/cli.h"
#include "server_object.h"

PyObject *ext_client_disconnected;

void ext_report_exception(const char *doing)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL && value != NULL)
        (void)PyException_SetTraceback(value, traceback);
    PyObject *module = PyImport_ImportModule("herald._errors");
    PyObject *done = NULL;
    if (module != NULL && value != NULL)
        done = PyObject_CallMethod(module, "report", "sO", doing, value);
    if (done == NULL)
        PyErr_WriteUnraisable(NULL);
    Py_XDECREF(done);
    Py_XDECREF(module);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
}

/* application_runner.run: herald._serve.run(server) does the rest and returns the exit code. */
static int run_application(const struct application_runner *runner,
                           const struct serve_config *config)
{
    (void)runner;
    long code = EXIT_CODE_FAILURE;
    PyObject *result = NULL;
    PyObject *server = server_object_new(config);
    PyObject *module = server == NULL ? NULL : PyImport_ImportModule("herald._serve");
    if (module != NULL)
        result = PyObject_CallMethod(module, "run", "O", server);
    if (result != NULL)
        code = PyLong_AsLong(result);
    if (PyErr_Occurred()) {
        ext_report_exception("serving the application");
        code = EXIT_CODE_FAILURE;
    }
    Py_XDECREF(result);
    Py_XDECREF(module);
    Py_XDECREF(server);
    return (int)code;
}

/* main(arguments, command): runs the command line `arguments` (the program's name first). `command`
 * are the words that start this program again. Returns the exit code. */
static PyObject *ext_main(PyObject *module, PyObject *arguments)
{
    (void)module;
    enum { MAXIMUM = 4096 };
    PyObject *words, *command;
    PyObject *result = NULL;
    if (!PyArg_ParseTuple(arguments, "O!O!", &PyTuple_Type, &words, &PyTuple_Type, &command))
        return NULL;
    Py_ssize_t count = PyTuple_GET_SIZE(words), command_count = PyTuple_GET_SIZE(command);
    if (count > MAXIMUM || command_count > MAXIMUM) {
        PyErr_SetString(PyExc_ValueError, "too many arguments");
        return NULL;
    }
    char **argv = PyMem_New(char *, (size_t)count + 1);
    const char **again = PyMem_New(const char *, (size_t)command_count + 1);
    if (argv == NULL || again == NULL) {
        PyErr_NoMemory();
        goto out;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        if ((argv[i] = PyBytes_AsString(PyTuple_GET_ITEM(words, i))) == NULL)
            goto out;
    }
    for (Py_ssize_t i = 0; i < command_count; i++) {
        if ((again[i] = PyBytes_AsString(PyTuple_GET_ITEM(command, i))) == NULL)
            goto out;
    }
    argv[count] = NULL;
    again[command_count] = NULL;
    struct application_runner runner = {.name = "python", .run = run_application, .command = again};
    result = PyLong_FromLong(cli_main((int)count, argv, &runner));
out:
    PyMem_Free(argv);
    PyMem_Free(again);
    return result;
}

static PyMethodDef module_methods[] = {
    {"main", ext_main, METH_VARARGS, "Run a command line; returns its exit code."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    "herald._ext",
    "Herald's engine.",
    -1,
    module_methods,
    NULL,
    NULL,
    NULL,
    NULL,
};

PyMODINIT_FUNC PyInit__ext(void);

PyMODINIT_FUNC PyInit__ext(void)
{
    PyObject *module = PyModule_Create(&module_definition);
    if (module == NULL)
        return NULL;
    ext_client_disconnected = PyErr_NewExceptionWithDoc(
        "herald.ClientDisconnected", "The client has gone: what send() raises from then on.",
        PyExc_OSError, NULL);
    if (ext_client_disconnected == NULL ||
        PyModule_AddObjectRef(module, "ClientDisconnected", ext_client_disconnected) < 0 ||
        PyModule_AddStringConstant(module, "__version__", HERALD_VERSION) < 0 ||
        ext_names_init() < 0 || asgi_step_init(module) < 0 || asgi_exchange_init(module) < 0 ||
        asgi_scope_init(module) < 0 || server_object_init(module) < 0 || wsgi_job_init(module) < 0)
        Py_CLEAR(module);
    return module;
}

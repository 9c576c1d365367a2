#include "asgi.h"

#include "server/config.h"

int asgi_application_init(struct asgi_application *application, PyObject *callable, PyObject *loop,
                          PyObject *state, PyObject *push_extension, PyObject *task_factory,
                          const struct serve_config *config)
{
    application->handler.start = asgi_start;
    application->callable = Py_NewRef(callable);
    application->loop = Py_NewRef(loop);
    application->push_extension = Py_NewRef(push_extension);
    application->push_falls_back = config->push_fallback;
    application->state = state == Py_None ? NULL : Py_NewRef(state);
    application->root_path =
        PyUnicode_FromString(config->root_path == NULL ? "" : config->root_path);
    application->asgi_versions = Py_BuildValue("{ssss}", "version", "3.0", "spec_version", "2.5");
    if (application->root_path == NULL || application->asgi_versions == NULL)
        return -1;
    if (task_factory != Py_None) {
        application->task_factory = Py_NewRef(task_factory);
        application->task_arguments = PyTuple_Pack(2, ext_names.loop, ext_names.eager_start);
        if (application->task_arguments == NULL)
            return -1;
    }
    return 0;
}

int asgi_application_traverse(struct asgi_application *application, visitproc visit, void *arg)
{
    Py_VISIT(application->callable);
    Py_VISIT(application->loop);
    Py_VISIT(application->task_factory);
    Py_VISIT(application->task_arguments);
    Py_VISIT(application->state);
    Py_VISIT(application->root_path);
    Py_VISIT(application->push_extension);
    Py_VISIT(application->asgi_versions);
    Py_VISIT(application->scope_template);
    return 0;
}

void asgi_application_clear(struct asgi_application *application)
{
    Py_CLEAR(application->callable);
    Py_CLEAR(application->loop);
    Py_CLEAR(application->task_factory);
    Py_CLEAR(application->task_arguments);
    Py_CLEAR(application->state);
    Py_CLEAR(application->root_path);
    Py_CLEAR(application->push_extension);
    Py_CLEAR(application->asgi_versions);
    Py_CLEAR(application->scope_template);
}

"""Finds the application that ``module:attribute`` names."""

import importlib
import inspect
import os
import sys
from typing import Any


class LoadError(Exception):
    """The application cannot be had; the text is one line for the user."""


def load(target: str, app_dir: str) -> Any:
    """Import ``module[:attribute.path]`` (attribute ``app`` by default) and return the object.

    ``app_dir`` is put before the module search path ("" for the working directory). A target that
    ends in ``()`` after its attribute is called without arguments (an application factory).

    Raises:
        LoadError: the module or attribute is not there, or importing it failed with an
            ImportError of its own. Other exceptions of the module pass through.
    """
    module_name, _, attribute = target.partition(":")
    attribute = attribute or "app"
    factory = attribute.endswith("()")
    directory = os.path.abspath(app_dir or ".")
    if not os.path.isdir(directory):
        raise LoadError(f"{target}: no such folder: {directory}")
    if directory not in sys.path:
        sys.path.insert(0, directory)
    if module_name.endswith(".py"):
        module_name = module_name[:-3].replace("/", ".")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and (
            error.name == module_name or module_name.startswith(error.name + ".")
        ):
            raise LoadError(f"{target}: no module named {error.name!r} in {directory}") from None
        raise LoadError(f"{target}: importing {module_name!r} failed: {error}") from error
    for name in attribute.removesuffix("()").split("."):
        if not hasattr(found, name):
            raise LoadError(f"{target}: module {module_name!r} has no {name!r}")
        found = getattr(found, name)
    if factory:
        found = found()
    if not callable(found):
        raise LoadError(f"{target}: {type(found).__name__} is not an application (not callable)")
    return found


def is_asgi(application: Any) -> bool:
    """Tell an ASGI 3 application from a WSGI one.

    ASGI: a coroutine function, an object whose ``__call__`` is one, or a callable of the three
    positional parameters scope, receive and send. Everything else is WSGI.
    """
    call = application
    if not inspect.isroutine(application) and not inspect.isclass(application):
        call = type(application).__call__
    if inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(application):
        return True
    try:
        parameters = list(inspect.signature(application).parameters.values())
    except (TypeError, ValueError):
        return False
    positional = [
        parameter
        for parameter in parameters
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        and parameter.default is parameter.empty
    ]
    return len(positional) == 3

"""The WSGI application that gunicorn serves."""

import os
from collections.abc import Callable, Iterable
from types import FunctionType
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "efcp.settings")

_FRAME_SLOTS = 8_400
"""Of eight bytes each: just over half of 128 KiB, so that the other half is left to the calls from there."""

_handle = get_wsgi_application()


def _application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    return _handle(environ, start_response)


# CPython keeps its frames in chunks of 16 KiB. It asks the system for a further chunk whenever a call crosses
# the end of the last one, and gives it back when that call returns; a template that is rendered right there,
# some hundred frames deep, takes six times as long. One frame so large that it gets a chunk of 128 KiB leaves
# room in it for all the frames of a request.
application = FunctionType(_application.__code__.replace(co_stacksize=_FRAME_SLOTS), globals(), "application")

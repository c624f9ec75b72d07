"""The WSGI application that gunicorn serves."""

import os
from collections.abc import Callable, Iterable
from types import FunctionType
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "efcp.settings")

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_FRAME_SLOTS = 8_400
"""Of eight bytes each: just over half of 128 KiB, which leaves the other half to the calls from there."""


def in_one_chunk(application: Wsgi) -> Wsgi:
    """The application, called below one frame so large that all frames of a request fit beside it.

    CPython keeps its frames in chunks of 16 KiB. It allocates a further chunk whenever a call crosses the
    end of the last one, and frees it when that call returns; a template that is rendered right there takes
    up to six times as long, and which page that hits is chance. Measured by tests/bench/frames.py.
    """

    def framed(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        return application(environ, start_response)

    code = framed.__code__.replace(co_stacksize=_FRAME_SLOTS)
    return FunctionType(code, globals(), "framed", None, framed.__closure__)


application = in_one_chunk(get_wsgi_application())

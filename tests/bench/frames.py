"""What the large frame of efcp/wsgi.py is worth: a page rendered at many depths of the stack.

`python -m tests.bench.frames` prints the processor's milliseconds, the median and the worst over all depths.
"""

import statistics
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from django.template import Context, Engine

from efcp.wsgi import Wsgi, in_one_chunk

ROWS = 60
DEPTHS = range(160)
REPEATS = 5
PAGE = """<table>{% for row in rows %}{% if row %}<tr>{% for cell in row %}{% if cell %}{% with c=cell %}
<td title="{{ c|default:'none' }}">{{ c|upper }}</td>{% endwith %}{% endif %}{% endfor %}</tr>{% endif %}
{% endfor %}</table>"""


def measure() -> None:
    """Print both ways, measured in turns in one thread, as requests are handled in one."""
    template = Engine().from_string(PAGE)
    rows = [[f"sip:192.0.2.{number}", str(number), "", f"gateway {number}"] for number in range(ROWS)]

    def page(_environ: dict[str, Any], _start: Callable[..., Any]) -> Iterable[bytes]:
        return [template.render(Context({"rows": rows})).encode()]

    variants: dict[str, Wsgi] = {"without": page, "with": in_one_chunk(page)}
    times: dict[str, list[float]] = {name: [] for name in variants}

    def run() -> None:
        for depth in DEPTHS:
            for name, application in variants.items():
                times[name].append(min(_at(depth, application) for _ in range(REPEATS)))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    for name, found in times.items():
        print(f"A page {name} the large frame: {statistics.median(found):.2f} ms, worst {max(found):.2f} ms")


def _at(depth: int, application: Wsgi) -> float:
    """Milliseconds of the processor for one call, `depth` frames further down."""
    if depth:
        return _at(depth - 1, application)
    began = time.thread_time()
    b"".join(application({}, print))
    return (time.thread_time() - began) * 1000


if __name__ == "__main__":
    measure()

"""What real proxies answered over MI: `mi.json.gz`."""

import gzip
import json
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).parent.parent / "vectors"
VERSIONS = ("3.4", "3.6", "4.0")


def load(name: str) -> Any:
    """The content of one vector file."""
    return json.loads(gzip.decompress((VECTORS / name).read_bytes()))


MI: dict[str, dict[str, Any]] = load("mi.json.gz")


def exchanges() -> list[Any]:
    """Every exchange of every version, in order."""
    return [exchange for version in VERSIONS for exchange in MI[version]["transcript"]]


def results(method: str, version: str | None = None) -> list[tuple[dict[str, Any], Any]]:
    """The named parameters and result of each exchange with `method` that was not refused."""
    found = exchanges() if version is None else MI[version]["transcript"]
    return [
        (exchange["params"] or {}, exchange["reply"]["result"])
        for exchange in found
        if exchange["method"] == method and "result" in exchange["reply"]
    ]

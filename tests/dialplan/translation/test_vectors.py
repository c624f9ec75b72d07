"""The recordings of real proxies: not one case may differ."""

import gzip
import json
from pathlib import Path
from typing import Any

from tests.conformance import dialplan, timerec

VECTORS = Path(__file__).parents[2] / "vectors"


def recorded(kind: str) -> Any:
    return json.loads(gzip.decompress((VECTORS / f"{kind}.json.gz").read_bytes()))


def test_translations_and_loading_agree_with_real_proxies() -> None:
    results = list(dialplan.compare(recorded("dialplan")))
    assert len(results) == 3866 + 82
    assert [difference for difference in results if difference] == []


def test_recurrences_agree_with_real_proxies() -> None:
    results = list(timerec.compare(recorded("timerec")))
    assert len(results) == 9600
    assert [difference for difference in results if difference] == []

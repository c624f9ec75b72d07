"""The OpenSIPS releases that the panel supports, and what each of them does differently.

All code asks a `Release` for what it can do; no other module names a release (`tests/lint.py`).
CONTRIBUTING.md has the steps to add one. Where each difference was found: docs/knowledge.md.
"""

import re
from dataclasses import dataclass

_MAJOR_MINOR = re.compile(r"(\d+)\.(\d+)", re.ASCII)


@dataclass(frozen=True, order=True, slots=True)
class Release:
    """A release by its first two numbers; a later one compares greater."""

    major: int
    minor: int

    @classmethod
    def of(cls, version: str, otherwise: "Release | None" = None) -> "Release":
        """The release of a version such as "3.4" or "4.0.1"; `otherwise` for what names none.

        Raises ValueError where there is no `otherwise` either.
        """
        if found := _MAJOR_MINOR.match(version):
            return cls(int(found[1]), int(found[2]))
        if otherwise is None:
            raise ValueError(f"{version!r} is not an OpenSIPS version.")
        return otherwise

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"

    @property
    def refuses_bad_weights(self) -> bool:
        """A weight that is not a number breaks the whole reload (dispatcher)."""
        return self >= RELEASE_3_6

    @property
    def counts_unsent_probes(self) -> bool:
        """A probe that could not be sent counts as a failure (dispatcher)."""
        return self >= RELEASE_3_6

    @property
    def ranks_negative_scores_last(self) -> bool:
        """Algorithm 10 puts destinations with a score below 0 at the end (dispatcher)."""
        return self >= RELEASE_3_6

    @property
    def takes_port_ranges(self) -> bool:
        """A socket may have several ports: 5060-5070,5080 (socket_def in cfg.y)."""
        return self >= RELEASE_3_6

    @property
    def qualifies_commands(self) -> bool:
        """MI lists commands as `dispatcher:list`; it still takes the old names."""
        return self >= RELEASE_4_0

    @property
    def publishes_profiling(self) -> bool:
        """The Event Interface has the events of the profiler."""
        return self >= RELEASE_4_0

    @property
    def needs_a_listener_for_each_protocol(self) -> bool:
        """A protocol module without a listener keeps the proxy from starting (trans_load)."""
        return self >= RELEASE_4_0

    @property
    def serves_http_on_loopback(self) -> bool:
        """httpd without `ip` listens on 127.0.0.1; before, on all addresses (httpd.c)."""
        return self >= RELEASE_4_0


RELEASE_3_4 = Release(3, 4)
RELEASE_3_6 = Release(3, 6)
RELEASE_4_0 = Release(4, 0)

SUPPORTED = (RELEASE_3_4, RELEASE_3_6, RELEASE_4_0)
"""Oldest first. Each has a file in efcp/script/knowledge/ and recorded vectors."""

OLDEST = SUPPORTED[0]
"""What a proxy is taken for in a preview where its own release is unknown."""
STRICTEST = SUPPORTED[-1]
"""What rows are validated against: a row that it takes, every release takes."""
DEFAULT = RELEASE_3_6
"""What a script is checked against and written for, unless another is chosen."""
SANDBOX_VERSION = f"{RELEASE_3_4}.18"
"""What the sandbox says it is: its recorded answers come from this version."""

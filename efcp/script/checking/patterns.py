"""Which modules the first argument of modparam stands for.

OpenSIPS takes it as an extended regular expression over the whole name, case aside (modparam.c).
"""

import re
from collections.abc import Mapping

from efcp.script.language.syntax import ModuleParameter

_MAXIMUM_LENGTH = 100
_MAXIMUM_WILDCARDS = 3
_MAXIMUM_NAMES = 1_000
_SIMPLE = re.compile(r"[\w.|*+-]+", re.ASCII)


def is_plain(parameter: ModuleParameter) -> bool:
    """Whether the modules are named one by one."""
    return all(re.fullmatch(r"[\w-]+", name, re.ASCII) for name in parameter.modules)


def matching(parameter: ModuleParameter, names: Mapping[str, str]) -> tuple[str, ...] | None:
    """Those of the names that the parameter is for; None where its pattern is too intricate to say.

    `names` are by what they are in small letters.
    """
    if is_plain(parameter):
        wanted = dict.fromkeys(name.lower() for name in parameter.modules)
        return tuple(names[name] for name in wanted if name in names)
    pattern = _without_frame(parameter.pattern)
    if not _is_simple(pattern) or len(names) > _MAXIMUM_NAMES:
        return None
    compiled = re.compile(f"(?:{pattern})", re.IGNORECASE | re.ASCII)
    return tuple(name for name in names.values() if compiled.fullmatch(name))


def _without_frame(pattern: str) -> str:
    """The pattern without anchors around an alternative, which change nothing."""
    return "|".join(each.removeprefix("^").removesuffix("$") for each in pattern.split("|"))


def _is_simple(pattern: str) -> bool:
    """Few wildcards, none within another: what can be matched in a time that is short for sure."""
    if len(pattern) > _MAXIMUM_LENGTH or not _SIMPLE.fullmatch(pattern):
        return False
    if pattern.count("*") + pattern.count("+") > _MAXIMUM_WILDCARDS:
        return False
    return not re.search(r"(?:^|\||[*+])[*+]", pattern)

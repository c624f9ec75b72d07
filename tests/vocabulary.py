"""Words that the project replaced by the trade's own, and how much of what lint refuses is left."""

REPLACED = {
    "asked": "requested, or what was requested",
    "begun": "started",
    "carrying_out": "scheduler",
    "foretold": "load prediction",
    "forgive": "reset",
    "goneline": "orphan view",
    "held": "loaded, listed or locked",
    "circle": "cycle, or replication group",
    "happened": "condition or transitions",
    "made": "created, generated, or the thing itself",
    "met": "continuity of a proxy's answers",
    "noticed": "detected",
    "noticing": "detect",
    "picking": "script routes",
    "roof": "top layer",
    "said": "reported, or the answer",
    "saying": "text",
    "says": "shows, reports, or the expected text",
    "seen": "answered, listed, stored, or edit token",
    "standing": "case snapshot",
    "thin": "execute or prune",
    "told": "finding, message or answer",
    "toldtrial": "schedule text",
    "tell": "report, notify or print",
    "tells": "reports or shows",
    "tried": "attempted, evaluated or dry run",
    "wanted": "requested, expected or edited",
    "weighedrow": "row",
    "whence": "source",
    "wish": "target",
    "wrongtries": "failed login",
}
"""Word of an identifier, or a whole identifier, in small letters: what to say instead."""

FOREIGN = {"connection_made"}
"""Identifiers that others named: asyncio's protocols."""

# How many there were when lint began to look. Each number only ever gets smaller.
LONG_TEMPLATE_LINES = 0
MODULE_COMPARISONS = 0
CLASSES_NAMED_TWICE = 0

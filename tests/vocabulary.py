"""Words and phrases that the project replaced by plain ones; lint refuses them."""

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

PHRASES = {
    "what came of": "the outcome of",
    "what became of": "the outcome of",
    "is told": "is reported or sent",
    "are told": "are reported or sent",
    "be told": "be known, reported or distinguished",
    "is said": "is reported",
    "be said": "be reported",
    "nothing is said": "there is no finding",
    "in the place of": "instead of",
    "whoever": "anyone who, or name them",
    "by other hands": "from elsewhere",
    "held against": "compared with",
    "goes by": "uses",
    "stands in": "is in",
    "is asked for": "is requested",
    "was asked for": "was requested",
    "were asked for": "were requested",
    "anew": "again",
}
"""Phrases of a docstring that read as translated, in small letters: what to write instead."""

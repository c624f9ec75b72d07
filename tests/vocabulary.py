"""Words that the project replaced by the trade's own, and what is left to be mended of what lint refuses."""

REPLACED = {
    "carrying_out": "scheduler",
    "foretold": "load prediction",
    "forgive": "reset",
    "goneline": "orphan view",
    "noticing": "detect",
    "picking": "script routes",
    "roof": "top layer",
    "saying": "text",
    "standing": "case snapshot",
    "thin": "execute or prune",
    "toldtrial": "schedule text",
    "weighedrow": "row",
    "wrongtries": "failed login",
}
"""Word of an identifier, or a whole identifier, in small letters: what to say instead."""

# How many there were when lint began to look. Each number only ever gets smaller.
LONG_TEMPLATE_LINES = 0
MODULE_COMPARISONS = 0
CLASSES_NAMED_TWICE = 9

"""The tabs of the preview pages."""

from django.http import HttpRequest

TABS = (
    ("preview:call", "One call"),
    ("preview:routes", "Number to destination"),
    ("preview:numbers", "Many numbers"),
    ("preview:spread", "Spread"),
    ("preview:algorithms", "Which algorithm"),
    ("preview:outage", "Outage"),
)


def preview_tabs(_request: HttpRequest) -> dict[str, object]:
    """The variable `preview_tabs`: address name and label of each page."""
    return {"preview_tabs": TABS}

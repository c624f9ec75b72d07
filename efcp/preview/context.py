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


def preview_tabs(request: HttpRequest) -> dict[str, object]:
    """The variable `preview_tabs`: each tab's address name and label, and whether the page is its own."""
    shown = request.resolver_match.view_name if request.resolver_match else ""
    tabs = [(name, label, shown == name or shown.startswith(f"{name}-")) for name, label in TABS]
    return {"preview_tabs": tabs}

"""What the forms of reload and live states send."""

from typing import Any

from dispatcher.models import Destination
from efcp.proxies.models import Proxy


def sent(proxy: Proxy, **more: Any) -> dict[str, Any]:
    """What both forms send, for this proxy."""
    rows = [str(pk) for pk in Destination.objects.values_list("pk", flat=True)]
    return {"proxy": [str(proxy.pk)], "inherit_state": "y", "state": "inactive", "id": rows, **more}

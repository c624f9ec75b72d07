"""Samples for a newcomer: two sets whose gateways the sandbox plays itself, one of them down."""

import socket

from django.conf import settings
from django.db import transaction

from dialplan.models import Rule
from dispatcher import services
from dispatcher.models import Destination
from dispatcher.services import Values
from efcp.audit.services import Actor
from efcp.sandbox.models import SampleGateway

FIRST_PORT = 15_081
_SEEDER = Actor("(samples)")
_GATEWAYS = (
    # set, weight, description, attributes, whether it answers
    (1, "2", "vbb-1, rack A", "pstn=yes", True),
    (1, "1", "vbb-2, rack B", "pstn=yes", True),
    (1, "1", "vbb-3, rack B: down, so that you see probing", "", False),
    (2, "1", "rec-1", "", True),
    (2, "1", "rec-2", "", True),
)
_SET_NAMES = {1: "Media VBB", 2: "Recording"}
_RULES = (
    {
        "dpid": 1,
        "pr": 0,
        "match_op": 1,
        "match_exp": "^00([1-9][0-9]+)$",
        "subst_exp": "^00([1-9][0-9]+)$",
        "repl_exp": "+\\1",
        "attrs": "intl",
    },
    {
        "dpid": 1,
        "pr": 1,
        "match_op": 1,
        "match_exp": "^0([1-9][0-9]+)$",
        "subst_exp": "^0([1-9][0-9]+)$",
        "repl_exp": "+49\\1",
        "attrs": "national",
    },
)


def seed_once() -> bool:
    """Write the samples into empty tables of a trial without any setting, once; tell whether it was done."""
    if not settings.CONFIGURATION.trial or SampleGateway.objects.exists() or Destination.objects.exists():
        return False
    ports = _free_ports(len(_GATEWAYS))
    with transaction.atomic():
        for port, (setid, weight, description, attrs, answers) in zip(ports, _GATEWAYS, strict=True):
            SampleGateway.objects.create(port=port, answers=answers)
            services.add(
                Values(
                    setid=setid,
                    destination=f"sip:127.0.0.1:{port}",
                    weight=weight,
                    attrs=attrs,
                    probe_mode=1,
                    description=description,
                ),
                _SEEDER,
            )
        for setid, name in _SET_NAMES.items():
            services.name_set(setid, name, _SEEDER)
        if not Rule.objects.exists():
            Rule.objects.bulk_create(Rule(match_flags=0, disabled=0, **rule) for rule in _RULES)
    return True


def _free_ports(count: int) -> list[int]:
    """The first free UDP ports of loopback from FIRST_PORT upwards."""
    found: list[int] = []
    port = FIRST_PORT
    while len(found) < count:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                port += 1
                continue
        found.append(port)
        port += 1
    return found

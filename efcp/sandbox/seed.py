"""Samples for a newcomer, and the sandbox among the panel's proxies.

Two sets whose gateways the sandbox runs itself, one of them down.
"""

import socket

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from dialplan.models import Rule
from dispatcher import services
from dispatcher.models import Destination
from dispatcher.routing.rows import DestinationRow
from efcp.audit.services import Actor
from efcp.proxies.locking import retried_on_lock
from efcp.proxies.models import ProbingRule, Proxy
from efcp.sandbox.models import SampleDecision, SampleGateway

FIRST_PORT = 15_081
_SEEDER = Actor("(samples)")
_GATEWAYS = (
    # set, weight, description, attributes, whether it answers
    (1, "2", "vbb-1, rack A", "pstn=yes", True),
    (1, "1", "vbb-2, rack B", "pstn=yes", True),
    (1, "1", "vbb-3, rack B: down, so that you see probing", "", False),
    (1, "1", "vbb-4, rack A", "", True),
    (2, "1", "rec-1", "", True),
    (2, "1", "rec-2", "", True),
)
_SET_NAMES = {1: "Media VBB", 2: "Recording"}
_RULES = (
    # pr, match_exp, repl_exp, attrs; all in dialplan 1
    (0, "^00([1-9][0-9]+)$", "+\\1", "intl"),
    (1, "^0([1-9][0-9]+)$", "+49\\1", "national"),
    (2, "^([1-9][0-9]{2})$", "\\1", "internal"),
)
_INSERT_RULE = (
    "INSERT INTO dialplan (dpid, pr, match_op, match_exp, match_flags, subst_exp, repl_exp, attrs)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
)
_REGEX = 1


@retried_on_lock
def seed_once() -> bool:
    """Write the samples into the empty tables of a trial; return whether it was done.

    Decided once, at the first start: a site with rows then, or that empties the tables later, gets none.
    """
    if not settings.CONFIGURATION.trial:
        return False
    with transaction.atomic():
        if SampleDecision.objects.exists():
            return False
        is_written = not (
            SampleGateway.objects.exists() or Destination.objects.exists() or Rule.objects.exists()
        )
        SampleDecision.objects.create(at=timezone.now(), written=is_written)
        if is_written:
            _write_gateways()
            _write_rules()
    return is_written


def sample_gateways() -> dict[int, bool]:
    """The ports of loopback on which the sandbox plays gateways, and whether each answers."""
    return dict(SampleGateway.objects.values_list("port", "answers"))


def _write_gateways() -> None:
    ports = _free_ports(len(_GATEWAYS))
    for port, (setid, weight, description, attrs, answers) in zip(ports, _GATEWAYS, strict=True):
        SampleGateway.objects.create(port=port, answers=answers)
        services.add(
            DestinationRow(
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


def _write_rules() -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            _INSERT_RULE,
            [
                (1, priority, _REGEX, expression, 0, expression, replacement, attrs)
                for priority, expression, replacement, attrs in _RULES
            ],
        )


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


NAME = "trial"


@retried_on_lock
def register(mi_port: int, probing: ProbingRule = ProbingRule.UNKNOWN) -> None:
    """Let the panel know the sandbox as a proxy, and what it probes; a known one keeps all but these two."""
    url = f"http://127.0.0.1:{mi_port}/mi"
    with transaction.atomic():
        known = Proxy.objects.filter(is_sandbox=True)
        if known.exists():
            known.exclude(mi_url=url, probing=probing).update(mi_url=url, probing=probing)
        else:
            Proxy.objects.create(name=_free_name(), mi_url=url, is_sandbox=True, probing=probing)


def _free_name() -> str:
    taken = set(Proxy.objects.filter(name__startswith=NAME).values_list("name", flat=True))
    numbered = (f"{NAME}-{number}" for number in range(2, len(taken) + 3))
    return next(name for name in (NAME, *numbered) if name not in taken)

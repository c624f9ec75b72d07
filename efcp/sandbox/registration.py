"""The sandbox among the panel's proxies."""

from django.db import transaction

from efcp.proxies.locking import retried_on_lock
from efcp.proxies.models import ProbingRule, Proxy

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

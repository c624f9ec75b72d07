"""What a new site has still to do, one step after the other, until all are done or the list is put away."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import reverse

from dispatcher.models import Destination
from efcp.accounts.models import User
from efcp.modules.registry import ReloadOutcome, modules_with_live_states
from efcp.operations.alerts.models import NotificationRule
from efcp.operations.reloads.models import ReloadResult
from efcp.proxies.models import KnownDestination, Proxy
from efcp.proxies.selectors import WatchedProxy
from efcp.script.writing.answers import Answers
from efcp.script.writing.script import mi_lines


@dataclass(frozen=True, slots=True)
class FirstStep:
    """One step: what to do, why, and where; `code` are lines to paste."""

    title: str
    why: str
    url: str
    action: str
    is_done: bool
    code: str = ""


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """All steps in their order."""

    steps: tuple[FirstStep, ...]

    @property
    def done(self) -> int:
        """How many are done."""
        return sum(step.is_done for step in self.steps)

    @property
    def next(self) -> FirstStep | None:
        """The first that is not done."""
        return next((step for step in self.steps if not step.is_done), None)


def first_steps(user: User, watched: tuple[WatchedProxy, ...]) -> FirstSteps | None:
    """The steps for an administrator; None for others, once all are done, and where they were put away."""
    if not user.may_administer or user.hides_first_steps:
        return None
    steps = FirstSteps(tuple(_steps(watched)))
    return None if steps.next is None else steps


def _steps(watched: tuple[WatchedProxy, ...]) -> Iterator[FirstStep]:
    yield FirstStep(
        "Add a proxy",
        "The panel talks to OpenSIPS over MI. Add these lines to opensips.cfg and restart OpenSIPS.",
        reverse("proxies:add"),
        "Add proxy",
        Proxy.objects.exists(),
        mi_lines(Answers()),
    )
    yield FirstStep(
        "Test the connection",
        "All pages show the states that proxies report.",
        reverse("proxies:list"),
        "Proxies",
        any(each.known for each in watched),
    )
    yield FirstStep(
        "Add a destination",
        "Enter its set, SIP URI and weight.",
        reverse("dispatcher:add"),
        "Add destination",
        Destination.objects.exists(),
    )
    is_reloaded = ReloadResult.objects.filter(
        run__module__in=modules_with_live_states(), outcome=ReloadOutcome.DONE
    ).exists()
    yield FirstStep(
        "Reload the proxies",
        "Changes take effect after a reload.",
        reverse("operations:reload"),
        "Reload",
        is_reloaded,
    )
    yield FirstStep(
        "Check its state",
        "Active, probing or inactive on each proxy, with problems first.",
        reverse("operations:board"),
        "State board",
        is_reloaded and KnownDestination.objects.exists(),
    )
    yield FirstStep(
        "Get notified",
        "By e-mail or webhook when a destination goes down.",
        reverse("notifications:add"),
        "Add notification",
        NotificationRule.objects.exists(),
    )
    yield FirstStep(
        "Add a second user",
        "Give each person an account, so the change log shows who changed what.",
        reverse("accounts:add-user"),
        "Add user",
        User.objects.filter(is_active=True).count() > 1,
    )

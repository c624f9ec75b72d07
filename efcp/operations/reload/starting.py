"""Starting the reload that a form asks for, within a request."""

from django.contrib import messages
from django.http import HttpRequest

from efcp.audit.services import actor_of
from efcp.operations.reload import services
from efcp.operations.reload.forms import ReloadForm

WAIT_S = 1.0
"""How long the request waits for quick proxies, so that most reloads show their result at once."""


def start_and_wait(request: HttpRequest, form: ReloadForm) -> services.Started:
    """Start it, or say that one was under way already, which is then everybody's."""
    started = services.start(form.proxies(), form.wanted(), actor_of(request))
    if started.is_new:
        started.ended.wait(WAIT_S)
    else:
        messages.info(
            request,
            f"A reload by {started.run.actor} was under way already, so no second one was sent:"
            " this is the result for both of you.",
        )
    return started

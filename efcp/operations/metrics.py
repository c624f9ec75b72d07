"""Prometheus metrics: states by proxy and their age, reloads, drift, jobs.

The number of series is bounded: beyond MAX_DESTINATIONS destinations, those that take no calls come first,
and `efcp_destinations_hidden` counts those left out. Counts by set cover every set.
"""

import hmac
from collections.abc import Iterator, Sequence

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db.models import Case, Count, IntegerField, Value, When
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from dispatcher.changes import compare
from efcp.jobs.models import UNDER_WAY, JobRun
from efcp.operations.alerts.silences import silenced
from efcp.operations.reloads.models import ReloadResult
from efcp.proxies.models import KnownDestination, KnownState
from efcp.proxies.probing import Check
from efcp.proxies.selectors import WatchedProxy, watched_proxies, watcher_beat_at
from efcp.proxies.set_counts import set_counts

MAX_DESTINATIONS = 20_000

_NUMBERS = {KnownState.ACTIVE: 0, KnownState.INACTIVE: 1, KnownState.PROBING: 2}
"""As in the column `state`."""


class PanelMetrics:
    """The metrics at this moment, for prometheus_client; each family is read on demand."""

    def __init__(self, watched: Sequence[WatchedProxy]) -> None:
        self._watched = watched
        self._names = {each.proxy.pk: each.proxy.name for each in watched}
        self._fresh = {each.proxy.pk for each in watched if each.fresh}
        self._partitions = {each.proxy.pk: each.proxy.partition for each in watched}

    def collect(self) -> Iterator[Metric]:
        """Every family."""
        yield from self._of_proxies()
        yield from self._of_destinations()
        yield from self._sets()
        yield self._reloads()
        yield self._drift()
        yield _jobs()
        yield from _watcher()

    def _of_proxies(self) -> Iterator[Metric]:
        labels = ["proxy"]
        up = GaugeMetricFamily(
            "efcp_proxy_up", "1 if the last try to read the proxy's list succeeded, else 0", labels=labels
        )
        age = GaugeMetricFamily(
            "efcp_proxy_known_age_seconds", "How old the last good answer of the proxy is", labels=labels
        )
        latency = GaugeMetricFamily(
            "efcp_mi_latency_seconds", "How long the last good answer over MI took", labels=labels
        )
        info = GaugeMetricFamily(
            "efcp_proxy_info", "Always 1", labels=["proxy", "partition", "version", "sandbox"]
        )
        for each in self._watched:
            name, contact = each.proxy.name, each.contact
            up.add_metric([name], float(each.fresh))
            if contact.answered_at is not None:
                age.add_metric([name], max(0.0, (each.now - contact.answered_at).total_seconds()))
            if contact.round_trip_ms is not None:
                latency.add_metric([name], contact.round_trip_ms / 1000)
            sandbox = "yes" if each.proxy.is_sandbox else "no"
            info.add_metric([name, each.proxy.partition, contact.version, sandbox], 1)
        yield from (up, age, latency, info)

    def _of_destinations(self) -> Iterator[Metric]:
        labels = ["proxy", "set", "uri", "occurrence"]
        states = GaugeMetricFamily(
            "efcp_destination_state",
            "State in the memory of a responding proxy: 0 active, 1 inactive, 2 probing",
            labels=labels,
        )
        last_known = GaugeMetricFamily(
            "efcp_destination_state_last_known",
            "The same for a proxy that is not responding, as last read: see efcp_proxy_known_age_seconds",
            labels=labels,
        )
        on_purpose = GaugeMetricFamily(
            "efcp_destination_silenced",
            "Always 1: the destination is inactive on purpose, by maintenance or by a person in the panel",
            labels=["proxy", "set", "uri", "reason"],
        )
        silences = silenced(timezone.now())
        known = KnownDestination.objects.filter(proxy__in=self._names)
        worst_first = Case(
            When(state=KnownState.ACTIVE, then=Value(1)), default=Value(0), output_field=IntegerField()
        )
        rows = known.order_by(worst_first, "proxy_id", "setid", "position").values_list(
            "proxy_id", "partition", "setid", "uri", "uri_key", "occurrence", "state"
        )
        for proxy_id, partition, setid, uri, key, occurrence, state in rows[:MAX_DESTINATIONS]:
            if partition != self._partitions[proxy_id]:
                continue
            family = states if proxy_id in self._fresh else last_known
            place = [self._names[proxy_id], str(setid), uri]
            family.add_metric([*place, str(occurrence)], _NUMBERS[KnownState(state)])
            if not occurrence and (reason := silences.get((proxy_id, partition, setid, key))):
                on_purpose.add_metric([*place, reason], 1)
        hidden = GaugeMetricFamily(
            "efcp_destinations_hidden", "Destinations without a series of their own", labels=[]
        )
        hidden.add_metric([], max(0, known.count() - MAX_DESTINATIONS))
        yield from (states, last_known, on_purpose, hidden)

    def _sets(self) -> Iterator[Metric]:
        """Counts by set: of what proxies hold now, and of what those held last that do not answer."""
        labels = ["proxy", "set", "state"]
        now = GaugeMetricFamily(
            "efcp_set_destinations",
            "Destinations of a set in the memory of a proxy that answers, by state",
            labels=labels,
        )
        last_known = GaugeMetricFamily(
            "efcp_set_destinations_last_known",
            "The same for a proxy that is not responding, as last read: see efcp_proxy_known_age_seconds",
            labels=labels,
        )
        worst = GaugeMetricFamily(
            "efcp_set_active_worst",
            "The fewest active destinations of a set among the proxies that answer and hold it, and where",
            labels=["set", "proxy"],
        )
        checks = GaugeMetricFamily(
            "efcp_set_active_by_check",
            "Active destinations of a set on a proxy that answers, by whether it probes them",
            labels=["proxy", "set", "check"],
        )
        for setid, on_proxies in set_counts(self._watched).items():
            loaded_on = [each for each in on_proxies if each.loaded]
            for each in loaded_on:
                # A state that none is in counts 0: a rule on "active == 0" must find it.
                for state in KnownState:
                    family = now if each.fresh else last_known
                    family.add_metric([each.proxy, str(setid), state.value], each.count_of(state))
            for each in (each for each in loaded_on if each.fresh):
                for check in Check:
                    checks.add_metric([each.proxy, str(setid), check.look], each.checks.get(check, 0))
            least = min(
                (each for each in loaded_on if each.fresh), key=lambda each: each.active, default=None
            )
            if least is not None:
                worst.add_metric([str(setid), least.proxy], least.active)
        yield from (now, last_known, worst, checks)

    def _reloads(self) -> Metric:
        family = CounterMetricFamily(
            "efcp_reloads", "Reloads requested in the panel", labels=["module", "proxy", "outcome"]
        )
        rows = ReloadResult.objects.filter(proxy__in=self._names).values_list(
            "run__module", "proxy_id", "outcome"
        )
        for module, proxy_id, outcome, count in rows.annotate(count=Count("pk")).order_by(
            "run__module", "proxy_id", "outcome"
        ):
            family.add_metric([module, self._names[proxy_id], outcome], count)
        return family

    def _drift(self) -> Metric:
        family = GaugeMetricFamily(
            "efcp_drift_destinations",
            "Destinations that a reload of the proxy would add, change or remove",
            labels=["proxy", "change"],
        )
        for each in compare(self._watched):
            if each.is_compared:
                name = each.watched.proxy.name
                family.add_metric([name, "add"], each.added.count)
                family.add_metric([name, "change"], each.changed.count)
                family.add_metric([name, "remove"], each.removed.count)
        return family


def _jobs() -> Metric:
    family = GaugeMetricFamily("efcp_jobs", "Jobs of the worker that have no end yet", labels=["outcome"])
    under_way = JobRun.objects.filter(outcome__in=UNDER_WAY).order_by().values_list("outcome")
    counts = dict(under_way.annotate(count=Count("pk")))
    for outcome in UNDER_WAY:
        family.add_metric([outcome.value], counts.get(outcome.value, 0))
    return family


def _watcher() -> Iterator[Metric]:
    beat_at = watcher_beat_at()
    if beat_at is not None:
        age = max(0.0, (timezone.now() - beat_at).total_seconds())
        yield GaugeMetricFamily(
            "efcp_watcher_beat_age_seconds", "Age of the leading watcher's last heartbeat", value=age
        )


@require_safe
@login_not_required
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """All metrics, for requests with `Authorization: Bearer TOKEN`; none where no token is configured."""
    token: str = settings.METRICS_TOKEN
    if not token:
        raise Http404
    sent = request.headers.get("Authorization", "")
    if not hmac.compare_digest(sent.encode(), f"Bearer {token}".encode()):
        return HttpResponse(
            "the token is missing or wrong\n",
            status=401,
            content_type="text/plain",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return HttpResponse(generate_latest(PanelMetrics(watched_proxies())), content_type=CONTENT_TYPE_LATEST)

"""Proxies, and what was last read from the memory of each."""

from collections.abc import Mapping

from django.core.validators import RegexValidator
from django.db import models

from efcp.proxies import mi_password
from efcp.proxies.load_reports import LoadSource
from efcp.proxies.memory import MAX_TEXT
from efcp.proxies.reconcile import Cause

_CAUSES = [
    (Cause.PROBING.value, "Probing"),
    (Cause.MI.value, "Set over MI"),
    (Cause.SCRIPT.value, "Set by the script"),
    (Cause.REPLICATION.value, "Replicated in the cluster"),
    (Cause.RELOAD.value, "Reload"),
    (Cause.UNKNOWN.value, "Unknown"),
]
_LOAD_SOURCES = [
    (LoadSource.PANEL.value, "This panel"),
    (LoadSource.START.value, "The proxy's start"),
    (LoadSource.OTHER.value, "Outside this panel"),
    (LoadSource.UNKNOWN.value, "Unknown"),
]

partition_charset = RegexValidator(
    r"\A[A-Za-z0-9_.-]+\Z", "A partition's name has letters, digits, dots, hyphens and underscores only."
)


class ProbingRule(models.TextChoices):
    """Which active destinations a proxy probes, as an administrator declared: MI does not report it."""

    UNKNOWN = "", "Unknown"
    NONE = "none", "None: ds_ping_interval is 0"
    MARKED = "marked", "Those with probe mode “always” (ds_probing_mode 0)"
    ALL = "all", "All (ds_probing_mode 1)"


class Proxy(models.Model):
    """One OpenSIPS proxy that the panel asks over MI.

    Proxies with one `cluster` name and partition replicate the states of their destinations among themselves.
    """

    name = models.CharField(max_length=64, unique=True)
    mi_url = models.CharField(max_length=255)
    mi_username = models.CharField(max_length=64, blank=True)
    mi_password_encrypted = models.BinaryField(default=b"", blank=True)
    mi_authority = models.TextField(blank=True, default="")
    """PEM certificates that verify the server of an https address; empty: the system's authorities do."""
    partition = models.CharField(max_length=64, default="default", validators=[partition_charset])
    cluster = models.CharField(max_length=64, blank=True)
    probing = models.CharField(
        max_length=8, choices=ProbingRule.choices, blank=True, default=ProbingRule.UNKNOWN
    )
    enabled = models.BooleanField(default=True)
    is_sandbox = models.BooleanField(default=False)

    class Meta:
        db_table = "efcp_proxy"
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def has_mi_password(self) -> bool:
        """Whether a password is stored, readable or not."""
        return bool(self.mi_password_encrypted)

    def mi_password(self) -> str:
        """The stored password, empty for none; raise mi_password.UnreadablePasswordError."""
        return mi_password.decrypt(bytes(self.mi_password_encrypted))


class TryOutcome(models.TextChoices):
    """The outcome of the last attempt to read a proxy's list; the label completes "the proxy …"."""

    NONE = "", "has not been contacted yet"
    ANSWERED = "answered", "answers"
    REFUSED = "refused", "refuses the connection"
    CLOSED = "closed", "closes the connection without a reply"
    UNREACHABLE = "unreachable", "can't be reached"
    TOO_SLOW = "too slow", "does not respond in time"
    UNUSABLE = "unusable", "returns no usable reply"
    NOT_SENT = "not asked", "can't be contacted"


class ProxyContact(models.Model):
    """The last exchange with one proxy, and the last good one.

    `outcome` is that of the last attempt, at `attempted_at`; `error` has details of a failed one, and
    `failing_since` is the first failure. `answered_at` is when the stored list came, `requested_at` when its
    request was sent: an answer to an earlier request never replaces it.
    `sets_digest` is the digest of that list, so that an unchanged one writes no destinations; first hits are
    not part of it and are stored at their own pace (`hits_stored_at`).
    `plain_until`: requests lack `full` until then, because a full reply was too large for the proxy.
    `mixed_at` is when another proxy than the known one answered last, `stranger_start` its text where that
    was the last answer of all.
    Of its probes, since its start: `probes_reported_at` is the last one that a report shows, `probes_read_at`
    how far these were read; `probes_all` where a report shows that it probes what is not marked for it.
    `modes_digest` is that of the loaded rows whose probe modes are stored with its destinations, empty to
    have them written again.
    `interval_s` is the pace at which the watcher asks this proxy. `known_since` is the first good answer.
    `flags_cursor` and `loads_cursor` are how far the proxy's reports were read, in its answer to the
    request of `reports_requested_at`; `late_reports` are read ones that no list has shown yet.
    `events_problem` is why the proxy sends no events, empty where it does.
    """

    proxy = models.OneToOneField(Proxy, on_delete=models.CASCADE, primary_key=True, related_name="contact")
    attempted_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)
    requested_at = models.DateTimeField(null=True)
    known_since = models.DateTimeField(null=True)
    failing_since = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=12, choices=TryOutcome.choices, blank=True, default=TryOutcome.NONE)
    error = models.CharField(max_length=255, blank=True)
    version = models.CharField(max_length=64, blank=True)
    up_since = models.DateTimeField(null=True)
    up_since_text = models.CharField(max_length=64, blank=True)
    stranger_start = models.CharField(max_length=64, blank=True, default="")
    mixed_at = models.DateTimeField(null=True)
    probes_reported_at = models.DateTimeField(null=True)
    probes_read_at = models.DateTimeField(null=True)
    probes_all = models.BooleanField(default=False)
    modes_digest = models.CharField(max_length=64, blank=True, default="")
    round_trip_ms = models.FloatField(null=True)
    interval_s = models.FloatField(default=2.0)
    sets_digest = models.CharField(max_length=64, blank=True)
    destination_count = models.PositiveIntegerField(default=0)
    hits_stored_at = models.DateTimeField(null=True)
    calls_since = models.DateTimeField(null=True)
    with_details = models.BooleanField(default=True)
    plain_until = models.DateTimeField(null=True)
    reports_requested_at = models.DateTimeField(null=True)
    flags_cursor = models.CharField(max_length=32, blank=True)
    loads_cursor = models.CharField(max_length=32, blank=True)
    late_reports = models.JSONField(default=list)
    events_problem = models.CharField(max_length=255, blank=True, default="Not contacted yet.")

    class Meta:
        db_table = "efcp_proxy_contact"

    def __str__(self) -> str:
        return f"{self.proxy_id} seen {self.answered_at}"


class WatcherHeartbeat(models.Model):
    """The one row (id 1) in which the leading watcher says that it lives: see efcp.proxies.leader.

    `started_at` is when it began to lead. `holder` is empty where it ended and none leads yet.
    """

    holder = models.CharField(max_length=80, blank=True)
    beats = models.PositiveBigIntegerField(default=0)
    started_at = models.DateTimeField()
    beat_at = models.DateTimeField()

    class Meta:
        db_table = "efcp_watcher_heartbeat"

    def __str__(self) -> str:
        return f"watcher at {self.beat_at}"


class KnownState(models.TextChoices):
    """A destination's state in a proxy's memory, by the proxy's own words."""

    ACTIVE = "active", "Active"
    INACTIVE = "inactive", "Inactive"
    PROBING = "probing", "Probing"


class KnownDestination(models.Model):
    """A destination in a proxy's memory, as last read.

    Identity is (proxy, partition, set, URI compared ASCII-case-insensitively, occurrence). `uri_key` is the
    URI in ASCII lower case; `occurrence` counts from 0 the rows of one set and URI in ds_list's order.
    weight, priority and description are null where the proxy was asked without `full`, first_hits where it
    lists no counter.
    `since` is when the state was first listed; `since_is_exact` is False where nobody watched before that
    moment, so that the destination has been in this state at least since then.
    `probe_mode` is the column as it was loaded, null where that is not known. `always_probed`: since its last
    load a probe failed while it was active. `probe_answered_at` is the last answer that a report shows.
    """

    proxy = models.ForeignKey(Proxy, on_delete=models.CASCADE, related_name="destinations")
    partition = models.CharField(max_length=64)
    setid = models.IntegerField()
    uri = models.CharField(max_length=MAX_TEXT)
    uri_key = models.CharField(max_length=MAX_TEXT)
    occurrence = models.PositiveIntegerField(default=0)
    position = models.PositiveIntegerField()
    state = models.CharField(max_length=8, choices=KnownState.choices)
    since = models.DateTimeField()
    since_is_exact = models.BooleanField(default=True)
    socket = models.CharField(max_length=MAX_TEXT, blank=True)
    attrs = models.CharField(max_length=MAX_TEXT, blank=True)
    weight = models.PositiveIntegerField(null=True)
    priority = models.IntegerField(null=True)
    description = models.CharField(max_length=MAX_TEXT, null=True)
    addresses = models.JSONField(default=list)
    first_hits = models.PositiveBigIntegerField(null=True, default=0)
    probe_mode = models.PositiveSmallIntegerField(null=True)
    always_probed = models.BooleanField(default=False)
    probe_answered_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "efcp_known_destination"
        constraints = (
            models.UniqueConstraint(
                fields=["proxy", "partition", "setid", "uri_key", "occurrence"], name="efcp_known_identity"
            ),
        )
        indexes = (models.Index(fields=["setid", "uri_key"], name="efcp_known_set_uri"),)

    def __str__(self) -> str:
        return f"{self.setid} {self.uri}"


class KnownSet(models.Model):
    """A set in a proxy's memory, as last read, so that proxies can be compared without all destinations.

    `content` is a digest of its destinations without their states, empty where the proxy was asked without
    `full`; `since` is when that content was first listed.
    """

    proxy = models.ForeignKey(Proxy, on_delete=models.CASCADE, related_name="sets")
    partition = models.CharField(max_length=64)
    setid = models.IntegerField()
    content = models.CharField(max_length=64, blank=True)
    since = models.DateTimeField()

    class Meta:
        db_table = "efcp_known_set"
        constraints = (
            models.UniqueConstraint(fields=["proxy", "partition", "setid"], name="efcp_known_set_identity"),
        )

    def __str__(self) -> str:
        return f"{self.setid} on {self.proxy_id}"


class StateChange(models.Model):
    """One change in a proxy's memory.

    `state_before` is empty where the destination appeared in a proxy that was known before,
    `state_after` where it vanished. A proxy's first list is no change and leaves no rows here. Between two
    lists, a state may be "down": the proxy's reports do not distinguish inactive from probing.
    """

    proxy = models.ForeignKey(Proxy, on_delete=models.CASCADE, related_name="changes")
    partition = models.CharField(max_length=64)
    setid = models.IntegerField()
    uri = models.CharField(max_length=MAX_TEXT)
    uri_key = models.CharField(max_length=MAX_TEXT)
    occurrence = models.PositiveIntegerField(default=0)
    at = models.DateTimeField()
    at_is_exact = models.BooleanField(default=True)
    state_before = models.CharField(max_length=8, blank=True)
    state_after = models.CharField(max_length=8, blank=True)
    cause = models.CharField(max_length=12, choices=_CAUSES, default=Cause.UNKNOWN, blank=True)

    class Meta:
        db_table = "efcp_state_change"
        indexes = (
            models.Index(fields=["proxy", "setid", "uri_key", "at"], name="efcp_change_destination"),
            models.Index(fields=["at"], name="efcp_change_at"),
        )

    def __str__(self) -> str:
        return f"{self.uri} {self.state_before} -> {self.state_after}"


class HistoryGap(models.Model):
    """A time of which a proxy's changes are not known: two lists enclose it, and the reports do not reach."""

    proxy = models.ForeignKey(Proxy, on_delete=models.CASCADE, related_name="gaps")
    partition = models.CharField(max_length=64)
    begin = models.DateTimeField()
    end = models.DateTimeField()
    why = models.CharField(max_length=128)

    class Meta:
        db_table = "efcp_history_gap"
        indexes = (models.Index(fields=["proxy", "end"], name="efcp_gap_of_proxy"),)

    def __str__(self) -> str:
        return f"{self.proxy_id}: {self.begin} to {self.end}"


class CallCount(models.Model):
    """The calls that a set's destinations got from one proxy as a first choice in a quarter of an hour.

    `slot` numbers the quarters of an hour from 1970; with `is_hour` the row is of the hour that begins with
    it. `calls` is JSON: URI key, occurrence and count of each destination that got any; `total` is their sum.
    """

    proxy = models.ForeignKey(Proxy, on_delete=models.CASCADE, related_name="call_counts")
    partition = models.CharField(max_length=64)
    setid = models.IntegerField()
    slot = models.IntegerField()
    is_hour = models.BooleanField(default=False)
    total = models.PositiveBigIntegerField()
    calls = models.JSONField()

    class Meta:
        db_table = "efcp_call_count"
        constraints = (
            models.UniqueConstraint(
                fields=["proxy", "partition", "setid", "slot", "is_hour"], name="efcp_call_count_once"
            ),
        )
        indexes = (
            models.Index(fields=["setid", "slot"], name="efcp_calls_of_set"),
            # Holds all that the sums of the home page read.
            models.Index(fields=["slot", "proxy", "setid", "total"], name="efcp_calls_sums"),
            models.Index(fields=["is_hour", "slot"], name="efcp_calls_to_merge"),
        )

    def __str__(self) -> str:
        return f"{self.total} calls of set {self.setid}"

    def by_destination(self) -> dict[tuple[str, int], int]:
        """The calls by URI key and occurrence."""
        return {(key, occurrence): count for key, occurrence, count in self.calls}

    def set_calls(self, counts: Mapping[tuple[str, int], int]) -> None:
        """Set the calls and their total."""
        self.calls = [[*destination, count] for destination, count in counts.items()]
        self.total = sum(counts.values())


class LoadedRows(models.Model):
    """The rows of one of OpenSIPS's tables as a load read them, shared by all loads that read the same.

    `digest` is that of `rows`, which is compressed JSON: a list of rows, each a list of its columns. What a
    digest stands for never changes, so a reader may keep what it decoded.
    """

    digest = models.CharField(max_length=64, unique=True)
    rows = models.BinaryField()

    class Meta:
        db_table = "efcp_loaded_rows"

    def __str__(self) -> str:
        return self.digest


class ProxyLoad(models.Model):
    """The last load of one module's table by a proxy, from its own reports and the panel's reloads.

    `started_at` is the proxy's second, put between the readings of its reports by the panel's clock. `rows`
    are what was loaded, known only of a reload by this panel while the table stood still; `problem` says why
    they are not known of such a reload. `failed_at` is a later load that failed. `reports_cursor` says how
    far the reports were read, those that the proxy gave at `reports_requested_at`.
    """

    proxy = models.ForeignKey(Proxy, on_delete=models.CASCADE, related_name="loads")
    module = models.CharField(max_length=16)
    partition = models.CharField(max_length=64)
    source = models.CharField(max_length=8, choices=_LOAD_SOURCES, default=LoadSource.UNKNOWN, blank=True)
    started_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)
    loaded = models.PositiveBigIntegerField(null=True)
    discarded = models.PositiveBigIntegerField(null=True)
    rows = models.ForeignKey(LoadedRows, on_delete=models.SET_NULL, null=True, related_name="loads")
    problem = models.CharField(max_length=255, blank=True)
    other_table = models.BooleanField(default=False)
    reports_cursor = models.CharField(max_length=32, blank=True)
    reports_requested_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "efcp_proxy_load"
        constraints = (
            models.UniqueConstraint(fields=["proxy", "module", "partition"], name="efcp_proxy_load_once"),
        )

    def __str__(self) -> str:
        return f"{self.module} on {self.proxy_id} from {self.source or 'unknown'}"


class SharedQuestion(models.Model):
    """A question to proxies that people ask from a page; everybody who asks the same shares the answers.

    `key` identifies the question; `actor` asked it last. A thread of the panel carries it out, from
    `started_at` to `ended_at`; one without `ended_at` past its `deadline` was lost with its process.
    """

    key = models.CharField(max_length=80, unique=True)
    title = models.CharField(max_length=300)
    actor = models.CharField(max_length=150, blank=True)
    started_at = models.DateTimeField()
    deadline = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "efcp_shared_question"
        indexes = (models.Index(fields=["started_at"], name="efcp_question_started"),)

    def __str__(self) -> str:
        return self.title


class SharedAnswer(models.Model):
    """What one proxy answered to a question: `text` is JSON; no `answered_at` while awaited."""

    question = models.ForeignKey(SharedQuestion, on_delete=models.CASCADE, related_name="answers")
    proxy = models.ForeignKey(Proxy, on_delete=models.CASCADE, related_name="+")
    text = models.TextField(blank=True)
    answered_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "efcp_shared_answer"
        constraints = (models.UniqueConstraint(fields=["question", "proxy"], name="efcp_answer_once"),)

    def __str__(self) -> str:
        return f"{self.proxy_id} to {self.question_id}"

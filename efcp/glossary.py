"""The project's terms: docs/architecture.md has the same table, and the help page shows it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GlossaryTerm:
    """A term and what it means, in one sentence; code is between backticks."""

    name: str
    meaning: str

    @property
    def anchor(self) -> str:
        """Its id on the help page."""
        return "term-" + "-".join(self.name.replace(",", "").split())

    @property
    def parts(self) -> tuple[tuple[bool, str], ...]:
        """The meaning in order: whether a part is code, and its text."""
        return tuple((index % 2 == 1, text) for index, text in enumerate(self.meaning.split("`")))


TERMS: tuple[GlossaryTerm, ...] = (
    GlossaryTerm("proxy", "an OpenSIPS server that the panel knows, with the address of its MI"),
    GlossaryTerm("MI", "OpenSIPS's management interface; here JSON-RPC over HTTP (`mi_http`)"),
    GlossaryTerm(
        "destination",
        "a row of `dispatcher`: a SIP URI in a set, with weight, priority, attributes, socket and more",
    ),
    GlossaryTerm("set", "the destinations of one `setid`; a script selects from a set"),
    GlossaryTerm(
        "partition",
        "a named instance of the dispatcher module's data in a proxy, `default` where none is named",
    ),
    GlossaryTerm("dialplan", "the rules of one `dpid`; `dp_translate` tries them by priority"),
    GlossaryTerm("rule", "a row of `dialplan`: what it matches, by text or expression, and its output"),
    GlossaryTerm(
        "priority",
        "of a destination: its place in a set, higher first; of a rule (`pr`): its place in a dialplan,"
        " lower first",
    ),
    GlossaryTerm("weight", "a destination's relative share of calls under a weighted algorithm"),
    GlossaryTerm(
        "attributes",
        "the text that a proxy passes to its script with a selected destination (`attrs`) or a matched rule",
    ),
    GlossaryTerm("socket", "the proxy's own address that requests to a destination leave from"),
    GlossaryTerm(
        "state",
        "of a destination in a proxy's memory: active, inactive or probing; inactive and probing take"
        " no calls",
    ),
    GlossaryTerm(
        "probing",
        "sending a destination OPTIONS (or another method) to learn whether it answers; as a state: out"
        " of service until it answers",
    ),
    GlossaryTerm(
        "probe mode", "when a proxy probes a destination: never, while its state is probing, or always"
    ),
    GlossaryTerm("threshold", "how many failures in a row turn a destination to probing"),
    GlossaryTerm(
        "algorithm",
        "how a proxy selects among the active destinations of a set (round robin, hash, weight, ...)",
    ),
    GlossaryTerm("failover", "selecting the next destination after one that failed"),
    GlossaryTerm("next hop", "transport, address and port that a request is sent to for a URI"),
    GlossaryTerm(
        "load",
        "a proxy reading its rows from the database, at its start or at a reload; what it holds then is"
        " in its memory",
    ),
    GlossaryTerm(
        "reload",
        "`ds_reload` or `dp_reload`, sent by this panel with a check before and a read-back after",
    ),
    GlossaryTerm("read-back", "asking the proxy for its list after a change, to see the result"),
    GlossaryTerm("drift", "how the table differs from what a proxy loaded"),
    GlossaryTerm("list", "a proxy's answer to `ds_list`: what its memory holds"),
    GlossaryTerm("report", "one line of a proxy's own record of changed flags and of loads, with its cause"),
    GlossaryTerm("event", "a datagram by which a proxy announces that a state changed"),
    GlossaryTerm("snapshot", "the list of one proxy as the watcher stored it last, with its time"),
    GlossaryTerm("gap", "a time without lists or reports: what happened in it is unknown"),
    GlossaryTerm(
        "live state",
        "the state in a snapshot of a proxy that still answers; otherwise it is the last known state",
    ),
    GlossaryTerm(
        "run", "one request to reload or to set states on one or more proxies, with an outcome per proxy"
    ),
    GlossaryTerm("reconciling", "finding out later, from the proxy, the result of a request without a reply"),
    GlossaryTerm(
        "replication group",
        "proxies that replicate states among themselves; one member is sent a state, all are read back",
    ),
    GlossaryTerm("maintenance", "a destination that is out of service for a planned time, on some proxies"),
    GlossaryTerm(
        "watcher, leader",
        "the process that reads proxies; of several watchers one leads, by a lease in the database",
    ),
    GlossaryTerm("worker, job", "the process that carries out long work, and one piece of it"),
    GlossaryTerm(
        "sandbox",
        "the panel's own small proxy: loads the tables, answers MI, probes; for the trial and for tests",
    ),
    GlossaryTerm(
        "preview",
        "what a proxy would do with a call or a number, or after a change, computed and explained without it",
    ),
    GlossaryTerm("load prediction", "what a load would make of a row: loaded or rejected, and why"),
    GlossaryTerm("call share", "the part of a set's calls that one destination gets"),
    GlossaryTerm(
        "test case", "an input of a dialplan with its expected output; run on the table and on proxies"
    ),
    GlossaryTerm(
        "guarded write",
        "an UPDATE or DELETE that succeeds only where the row still is what its editor saw",
    ),
    GlossaryTerm(
        "edit token",
        "what a form carries to show which values its editor saw, signed or as a keyed digest",
    ),
    GlossaryTerm(
        "audit record", "who changed what, from which address, before and after; stored with the change"
    ),
    GlossaryTerm("release", "a version of OpenSIPS that the panel knows, as data"),
    GlossaryTerm(
        "recorded vector", "what a real proxy answered, kept as a file that the code is compared with"
    ),
)

"""Combinations of answers for the writer: each gives a script, and every script must be sound."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle, product

from efcp.script.knowledge.facts import VERSIONS
from efcp.script.writing.answers import Answers, Dialplan, GroupAnswers, MarkAction

PARAMETERS = {7: "$hdr(X-Tenant)", 9: "$stat(load_%u)", 10: "score"}
FLAGS = ("f", "fu", "fd", "F", "ufd")
FAILURES = (("[56][0-9][0-9]", True), ("5[0-9][0-9]", False), ("(408)|(50[0-4])", True), ("", True))
REPLIES = ((503, "Service Unavailable"), (480, "Temporarily Unavailable"), (603, "Decline: 5 $ a minute"))
PROBING = ((10, 1, 0, ()), (1, 3, 1, (404,)), (60, 2, 0, (403, 501)), (3600, 10, 1, ()))
DIALPLANS = ((), (Dialplan(1),), (Dialplan(7, 484, "Address Incomplete"), Dialplan(12)))
SOCKETS = ("udp:127.0.0.1:5060", "tcp:127.0.0.1:5070", "udp:0.0.0.0:5080", "udp:[::1]:5060")
DATABASES = (
    "mysql://opensips:opensipsrw@localhost/opensips",
    "mysql://opensips@127.0.0.1:3306/opensips",
    "mysql://proxy:p@ss:w$rd@db.example.com:13306/sip",
)


def combinations() -> Iterator[Answers]:
    """Some 250 sound ones: every version, mark and algorithm, as a whole proxy or not, the rest in turn."""
    turns = zip(
        cycle(FLAGS),
        cycle(FAILURES),
        cycle(REPLIES),
        cycle(PROBING),
        cycle(DIALPLANS),
        cycle(SOCKETS),
        cycle(DATABASES),
    )
    chosen = product(VERSIONS, (False, True), MarkAction, range(11))
    for number, (basis, turn) in enumerate(zip(chosen, turns, strict=False)):
        version, minimal, mark, algorithm = basis
        flags, failure, reply, probing, dialplans, socket, database = turn
        group = GroupAnswers(
            algorithm=algorithm,
            flags=flags,
            maximum=(None, 1, 5)[number % 3],
            parameter=PARAMETERS.get(algorithm, ""),
            failure_codes=failure[0],
            failure_timeouts=failure[1],
            mark=mark,
            try_next=number % 5 != 0,
            last_code=reply[0],
            last_reason=reply[1],
        )
        interval, threshold, mode, codes = probing
        yield Answers(
            version=version,
            database_url=database,
            probing_interval=interval,
            probing_from="sips:ds@[2001:db8::1]:5061" if number % 7 == 0 else "sip:ds@sip.domain.com",
            threshold=threshold,
            probing_mode=mode,
            reply_codes=codes,
            groups=(group, *others(number)),
            dialplans=dialplans,
            minimal=minimal,
            socket=socket,
            mi_port=8888 + number % 10,
            show_passwords=number % 4 == 0,
        )
    yield from plain()


def others(number: int) -> tuple[GroupAnswers, ...]:
    """None, one or two more groups, of names and sets of their own."""
    trunks = GroupAnswers(
        "to_trunks", 20, 4, failure_route="trunk_failover", prefix="+49", empty_reason="No trunk"
    )
    voicemail = GroupAnswers("to_voicemail", 300, 8, flags="", failure_route="", prefix="vm")
    return ((), (trunks,), (voicemail, replace(trunks, prefix="00")))[number % 3]


def plain() -> Iterator[Answers]:
    """The answers as they are, each in turn otherwise."""
    for version, minimal in product(VERSIONS, (False, True)):
        usual = Answers(version=version, minimal=minimal)
        nothing = GroupAnswers(mark=MarkAction.NOTHING)
        yield usual
        yield replace(usual, probing_interval=0, groups=(nothing,))
        yield replace(usual, probing_interval=0, groups=(replace(nothing, mark=MarkAction.INACTIVE),))
        yield replace(usual, groups=(GroupAnswers(failure_route="", flags=""),))
        yield replace(usual, groups=(GroupAnswers(try_next=False, flags="", mark=MarkAction.NOTHING),))
        yield replace(
            usual,
            groups=(
                GroupAnswers(set_id=0),
                GroupAnswers("r", 2147483647, failure_route="f", prefix="1"),
            ),
        )
        yield replace(
            usual,
            groups=(GroupAnswers(prefix="8"), GroupAnswers("r", 2, failure_route="f", prefix="88")),
        )
        yield replace(usual, show_passwords=True, dialplans=(Dialplan(0),))

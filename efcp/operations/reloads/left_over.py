"""What is not as in the table after a dispatcher reload: each row and destination named, with its reason."""

from collections.abc import Iterator

from dispatcher.change import Change
from dispatcher.changes import ProxyChanges
from dispatcher.load_prediction import PredictedFinding
from dispatcher.routing.findings import RowEffect
from dispatcher.table_names import TableNames
from efcp.sip.uri import uri_key

MOST_NOTES = 100


def notes(changes: ProxyChanges, names: TableNames, discarded: int | None) -> tuple[str, ...]:
    """A sentence for each of `changes` that the reload left, at most MOST_NOTES and one that counts the rest.

    `discarded` is how many rows the proxy reports to have dropped, None where it does not tell.
    """
    found = list(_sentences(changes, names))
    total = (
        len(found)
        + changes.added.unshown
        + changes.changed.unshown
        + changes.removed.unshown
        + changes.warning_count
        - len(changes.warnings)
    )
    dropped = [each for each in changes.warnings if _is_dropped(each)]
    missing = len(dropped) + changes.added.count + changes.warning_count - len(changes.warnings)
    if discarded is not None and discarded > missing:
        found.insert(0, f"The proxy discarded {discarded} rows, of which {missing} are known here.")
        total += 1
    if total > MOST_NOTES:
        return (*found[: MOST_NOTES - 1], f"And {total - MOST_NOTES + 1} more.")
    return tuple(found)


def _sentences(changes: ProxyChanges, names: TableNames) -> Iterator[str]:
    for each in changes.warnings:
        what = "not loaded" if _is_dropped(each) else "loaded otherwise than written"
        yield f"Set {each.row.setid}, {each.row.destination or 'empty'}: {what}. {each.finding.text}"
    for change in changes.added.shown:
        yield f"{_named(change)}: not loaded. {_unexplained(change, names)}"
    for change in changes.changed.shown:
        yield f"{_named(change)}: {', '.join(map(str, change.differences))}."
    for change in changes.removed.shown:
        yield f"{_named(change)}: still in memory, and gone from the table."
    for change in changes.names.dropped.shown:
        yield f"{_named(change)}: loaded, although the name does not resolve by this machine's resolver."
    for change in changes.names.moved.shown:
        for difference in change.differences:
            yield (
                f"{_named(change)}: the proxy has {difference.memory}, this machine's resolver says"
                f" {difference.table}."
            )


def _unexplained(change: Change, names: TableNames) -> str:
    name = names.by_key.get(uri_key(change.uri.rstrip(" ")))
    if name is None:
        return "Nothing wrong with the row is known here; the proxy's log tells why."
    if name.addresses:
        return f"The name {name.host} resolves here; the proxy's resolver may not know it."
    return f"The name {name.host} could not be looked up here; the proxy may not have found it either."


def _is_dropped(predicted: PredictedFinding) -> bool:
    return predicted.finding.effect is RowEffect.DROPPED


def _named(change: Change) -> str:
    return f"Set {change.setid}, {change.uri}"

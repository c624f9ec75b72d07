"""Every write to the table `dispatcher` and to the names of sets, each with its audit record."""

from dispatcher.routing.rows import DestinationRow
from dispatcher.selectors import same_destination
from dispatcher.table import DESTINATIONS, SET_NAMES
from dispatcher.validation import duplicate_text
from efcp.editing.repository import Repository, RowRefusedError
from efcp.sip.uri import same_uri


class DuplicateDestinationError(RowRefusedError):
    """Another row has the same set and URI, compared as the proxy does; nothing was written."""

    def __init__(self, other_id: int | None) -> None:
        super().__init__("destination", duplicate_text(other_id))
        self.other_id = other_id


class DestinationRepository(Repository[DestinationRow]):
    """The destinations: no second row of one set and URI."""

    def refuse(self, edited: DestinationRow, original: DestinationRow | None) -> None:
        """Raise DuplicateDestinationError. A row that has a twin already may keep it, and be edited."""
        if original is not None:
            moved = edited.setid != original.setid
            if not moved and same_uri(edited.destination, original.destination):
                return
        other = same_destination(edited.setid, edited.destination, original.id if original else None)
        if other is not None:
            raise DuplicateDestinationError(other)

    def twin_of(self, other_id: int | None) -> RowRefusedError:
        """The refusal of a second row of one set and URI."""
        return DuplicateDestinationError(other_id)


REPOSITORY = DestinationRepository(DESTINATIONS)

add = REPOSITORY.add
update = REPOSITORY.update
delete = REPOSITORY.delete
subject = DESTINATIONS.subject
name_set = SET_NAMES.rename

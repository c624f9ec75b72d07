"""Numbers in addresses."""

from django.urls.converters import IntConverter

LARGEST = 2**31 - 1
"""What OpenSIPS's columns of sets and dialplans hold."""


class NumberConverter(IntConverter):
    """A set or a dialplan; nothing is found under a number that its column can't hold."""

    def to_python(self, value: str) -> int:
        """The number; a ValueError makes it another address."""
        number = super().to_python(value)
        if number > LARGEST:
            raise ValueError(f"{value} is larger than the column.")
        return number

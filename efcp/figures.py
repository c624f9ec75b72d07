"""How numbers and percentages are written, in pages and messages: "6,673", "66.7 %", "1 warning"."""


def grouped(number: object) -> str:
    """A whole number with commas between thousands: "6,673"; anything else as it is, None as nothing."""
    if number is None:
        return ""
    return f"{number:,}" if isinstance(number, int) else str(number)


def percent_text(share: float) -> str:
    """A percentage as short as it stays true, without its sign: "25", "0.4", "<0.1"."""
    if 0 < share < 0.1:
        return "<0.1"
    return f"{share:.1f}".removesuffix(".0")


def counted(count: int, noun: str, plural: str = "") -> str:
    """A number with its noun: "1 warning", "6,673 warnings"."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"

"""Texts in a script. What cannot be written safely is refused, never repaired."""


def is_safe(text: str) -> bool:
    """Whether it can stand within quotes: printable, and without the quotes and backslashes that end them."""
    return text.isprintable() and not set(text) & set("\"'\\")


def quoted(text: str) -> str:
    """A text that the proxy takes as it is, as a module parameter.

    Raises ValueError where it could end its quotes: what comes from people is refused before.
    """
    if not is_safe(text):
        raise ValueError("A text with quotes, backslashes or line breaks cannot be written.")
    return f'"{text}"'


def quoted_format(text: str) -> str:
    """A text in which the proxy would replace variables, as a reply's reason: each $ stands for itself."""
    return quoted(text.replace("$", "$$"))

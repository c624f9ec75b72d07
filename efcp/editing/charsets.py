"""Which characters a column of OpenSIPS's tables can hold."""

from django.db import connection


def unstorable_characters(table: str, column: str, text: str) -> str:
    """The characters of `text` that the character set of a column lacks.

    MariaDB itself is asked, since only it knows its character sets; SQLite stores everything.
    """
    if connection.vendor != "mysql" or text.isascii():
        return ""
    charset = _charset_of(table, column)
    if not charset.isidentifier():
        return ""
    characters = "".join(dict.fromkeys(character for character in text if not character.isascii()))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT CONVERT(CONVERT(%s USING {charset}) USING utf8mb4)",
            [characters],
        )
        kept = cursor.fetchone()[0]
    return "".join(sent for sent, got in zip(characters, kept, strict=True) if sent != got)


def _charset_of(table: str, column: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT character_set_name FROM information_schema.columns"
            " WHERE table_schema = DATABASE() AND table_name = %s AND column_name = %s",
            [table, column],
        )
        row = cursor.fetchone()
    return row[0] if row and row[0] else "utf8mb4"

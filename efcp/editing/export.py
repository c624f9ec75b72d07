"""Lists as files: CSV, JSON and XLSX, streamed row by row.

A spreadsheet takes a cell that begins with =, +, -, @, a tab or a line break for a formula. In CSV such a
text gets an apostrophe in front, and so does one that begins with an apostrophe, so that taking one away
restores it. XLSX marks each cell as text or number, so that nothing in it is a formula.

tablib builds the whole table as a Dataset, and the file again, in memory, and escapes nothing in CSV. Here
memory does not grow with the table, and the one sheet of an XLSX file takes 40 lines.
"""

import csv
import io
import json
import re
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import IO, Any
from xml.sax.saxutils import escape

from django.db.models import QuerySet
from django.http import FileResponse, Http404, StreamingHttpResponse
from django.http.response import HttpResponseBase

from efcp.editing.table import Table

EXPORT_KINDS = ("csv", "json", "xlsx")
MOST_ROWS = 100_000
ROWS_AT_ONCE = 2_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "'")
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'

Row = Sequence[Any]


def export_table(table: Table[Any], rows: QuerySet[Any], kind: str) -> HttpResponseBase:
    """A file of the first MOST_ROWS rows in the order of their ids, without secrets."""
    columns = ("id", *(column.name for column in table.columns))
    return export(table.name, kind, columns, _rows_by_id(table, rows))


def _rows_by_id(table: Table[Any], rows: QuerySet[Any]) -> Iterator[Row]:
    last, left = 0, MOST_ROWS
    while left > 0:
        found = list(rows.filter(pk__gt=last).order_by("pk")[: min(ROWS_AT_ONCE, left)])
        for row in found:
            yield (row.pk, *table.masked(table.row.of(row)).values())
        if len(found) < ROWS_AT_ONCE:
            return
        last, left = found[-1].pk, left - len(found)


def export(name: str, kind: str, columns: Sequence[str], rows: Iterable[Row]) -> HttpResponseBase:
    """The file `name` of a kind: csv, json or xlsx. Raises Http404 for another kind."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.{kind}"'}
    match kind:
        case "csv":
            parts = _csv(columns, rows)
            return StreamingHttpResponse(parts, content_type="text/csv; charset=utf-8", headers=headers)
        case "json":
            return StreamingHttpResponse(
                _json(columns, rows), content_type="application/json", headers=headers
            )
        case "xlsx":
            return FileResponse(_xlsx(columns, rows), as_attachment=True, filename=f"{name}.xlsx")
    raise Http404


def harmless(value: Any) -> Any:
    """A value for a cell of CSV that no spreadsheet runs."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def plain_cell(text: str) -> str:
    """The value of a cell of CSV that `harmless` may have written."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text


def _csv(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(columns)
    for number, row in enumerate(rows):
        writer.writerow([harmless(value) for value in row])
        if number % ROWS_AT_ONCE == 0:
            yield _taken(buffer)
    yield _taken(buffer)


def _taken(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text


def _json(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    before = "[\n"
    for row in rows:
        yield before + json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False, default=str)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def _xlsx(columns: Sequence[str], rows: Iterable[Row]) -> IO[bytes]:
    """A workbook with one sheet (ECMA-376), in a file that is deleted once it is sent."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the response closes it
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path, text in _PARTS.items():
            archive.writestr(path, f"{_XML}{text}")
        with archive.open("xl/worksheets/sheet1.xml", "w") as sheet:
            sheet.write(f'{_XML}<worksheet xmlns="{_MAIN}"><sheetData>'.encode())
            for row in chain([columns], rows):
                sheet.write(f"<row>{''.join(map(_cell, row))}</row>".encode())
            sheet.write(b"</sheetData></worksheet>")
    file.seek(0)
    return file


def _cell(value: Any) -> str:
    if value is None:
        return "<c/>"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"<c><v>{value}</v></c>"
    text = escape(_NOT_XML.sub("\ufffd", str(value)), {"\r": "&#13;"})
    return f'<c t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'


_PARTS = {
    "[Content_Types].xml": (
        f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Override PartName="/xl/workbook.xml" ContentType='
        '"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
        '<Override PartName="/xl/worksheets/sheet1.xml" ContentType='
        '"application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>'
    ),
    "_rels/.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/workbook.xml": (
        f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
        '<sheet name="Rows" sheetId="1" r:id="rId1"/></sheets></workbook>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
    ),
}

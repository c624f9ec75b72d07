"""Reading without building SQL each time: querysets compiled once, and model instances from written-out SQL.

For what every page reads. Building the SQL of a queryset takes several times as long as MariaDB takes to
answer it from a small table.
"""

import copy
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import Model, QuerySet
from django.db.models.base import ModelState
from django.db.models.sql.compiler import SQLCompiler

ModelT = TypeVar("ModelT", bound=Model)


class CompiledQuery(Generic[ModelT]):
    """A queryset without variable parts, whose SQL is built at the first use."""

    def __init__(self, queryset: "QuerySet[ModelT, Any]") -> None:
        self._queryset = queryset

    def __iter__(self) -> Iterator[Any]:
        """What the queryset yields now, read in one query."""
        queryset = self._queryset.all()
        queryset.query.get_compiler = self._compiler  # type: ignore[method-assign]
        return iter(queryset)

    def _compiler(self, *_args: Any, **_kwargs: Any) -> SQLCompiler:
        """A compiler for the connection of this thread, which has its SQL already."""
        compiler, sql = self._compiled
        mine = copy.copy(compiler)
        mine.connection = connections[DEFAULT_DB_ALIAS]
        mine.as_sql = lambda *_args, **_kwargs: sql  # type: ignore[method-assign]
        return mine

    @cached_property
    def _compiled(self) -> tuple[SQLCompiler, tuple[str, tuple[Any, ...]]]:
        compiler = self._queryset.all().query.get_compiler(DEFAULT_DB_ALIAS)
        sql, parameters = compiler.as_sql()
        return compiler, (sql, tuple(parameters))


class ModelColumns(Generic[ModelT]):
    """The columns of a model in written-out SQL, under the name `alias` of its table; all but `without`."""

    def __init__(
        self, model: type[ModelT], alias: str, *, only: Collection[str] = (), without: Collection[str] = ()
    ) -> None:
        self._model = model
        columns = model._meta.concrete_fields
        chosen = set(only or (each.attname for each in columns)) - set(without)
        self._fields = [each for each in columns if each.attname in chosen]
        self._names = [each.attname for each in self._fields]
        self.sql = ", ".join(f"{alias}.`{each.column}`" for each in self._fields)
        self.count = len(self._fields)

    def instance(self, values: Sequence[Any]) -> ModelT:
        """The instance whose columns have these values, as the database gave them.

        Without the model's `__init__`, which takes most of the time of reading a page of rows. What is not
        among the columns is read when it is looked at, as always.
        """
        columns = dict(zip(self._names, values, strict=True))
        for name, converters, expression in self._converters:
            for convert in converters:
                columns[name] = convert(columns[name], expression, connection)
        found = self._model.__new__(self._model)
        found._state = ModelState()
        found._state.adding = False
        found._state.db = DEFAULT_DB_ALIAS
        found.__dict__.update(columns)
        return found

    @cached_property
    def _converters(self) -> list[tuple[str, list[Any], Any]]:
        """By name, how values of the database become those of the model, where they are not the same."""
        found = []
        for each in self._fields:
            column = each.cached_col
            converters = [*connection.ops.get_db_converters(column), *column.get_db_converters(connection)]
            if converters:
                found.append((each.attname, converters, column))
        return found


def moment_parameter(at: datetime) -> str | None:
    """An aware moment as a parameter of written-out SQL."""
    return connection.ops.adapt_datetimefield_value(at)

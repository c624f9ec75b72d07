"""Reading without building SQL anew: querysets compiled once, and model instances from written-out SQL.

For what every page reads. Building the SQL of a queryset takes several times as long as MariaDB takes to
answer it from a small table.
"""

import copy
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import Model, QuerySet
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
    """The columns of a model in written-out SQL, under the name `alias` of its table."""

    def __init__(self, model: type[ModelT], alias: str, without: Sequence[str] = ()) -> None:
        self._model = model
        self._fields = [each for each in model._meta.concrete_fields if each.attname not in without]
        self._names = [each.attname for each in self._fields]
        self.sql = ", ".join(f"{alias}.`{each.column}`" for each in self._fields)
        self.count = len(self._fields)

    def instance(self, values: Sequence[Any]) -> ModelT:
        """The instance whose columns have these values, as the database gave them."""
        converted = list(values)
        for index, converters, expression in self._converters:
            for convert in converters:
                converted[index] = convert(converted[index], expression, connection)
        return self._model.from_db(DEFAULT_DB_ALIAS, self._names, converted)

    @cached_property
    def _converters(self) -> list[tuple[int, list[Any], Any]]:
        """By position, how values of the database become those of the model, where they are not the same."""
        found = []
        for index, each in enumerate(self._fields):
            column = each.cached_col
            converters = [*connection.ops.get_db_converters(column), *column.get_db_converters(connection)]
            if converters:
                found.append((index, converters, column))
        return found

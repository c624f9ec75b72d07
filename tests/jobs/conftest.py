"""The jobs' tests run on databases of their own."""

from tests.database.conftest import schema as schema

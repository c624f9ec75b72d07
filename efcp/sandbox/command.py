"""What one MI command is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from efcp.sandbox.parameters import Given, Recipe
from efcp.sandbox.proxy import SandboxProxy

Handler = Callable[[SandboxProxy, Given], Any]
"""Carries out a call whose parameters fit a recipe; raises MiRefusalError for an error object."""


@dataclass(frozen=True, slots=True)
class Command:
    """How a command may be called, what it does, and which module it belongs to."""

    recipes: tuple[Recipe, ...]
    handler: Handler
    module: str = "core"

"""Module parameters: unknown, of a wrong type, too early, of an old name."""

from collections.abc import Iterator

from efcp.releases import RELEASE_4_0
from efcp.script.checking.nearest import likely
from efcp.script.checking.overview import Overview
from efcp.script.checking.patterns import is_plain, matching
from efcp.script.findings import Finding, Severity
from efcp.script.knowledge.facts import Module, Parameter, ParameterType
from efcp.script.knowledge.loading import renamed
from efcp.script.language.syntax import ModuleParameter

_EFFECT = "the proxy does not start"


def without_module(overview: Overview) -> Iterator[Finding]:
    """A parameter of no module that is loaded above it: the proxy does not start (modparam.c)."""
    for parameter in overview.script.parameters:
        if overview.is_whole or is_plain(parameter):
            yield from _of_module(overview, parameter)


def _of_module(overview: Overview, parameter: ModuleParameter) -> Iterator[Finding]:
    loaded = matching(parameter, overview.loaded_in_small)
    if loaded is None:
        return
    position = overview.order[id(parameter)]
    if any(overview.order[id(overview.loaded[name])] < position for name in loaded):
        return
    if loaded:
        module = overview.loaded[loaded[0]]
        text = f"{module.name} is loaded below this line: {_EFFECT}. Put this parameter after its loadmodule."
        yield Finding(Severity.ERROR, "parameter-early", parameter.place, text, (module.place,))
    elif overview.is_whole:
        text = f"No module {parameter.pattern[:60]} is loaded: {_EFFECT}. Load it above, or remove this line."
        yield Finding(Severity.ERROR, "parameter-without-module", parameter.place, text)


def names_and_types(overview: Overview) -> Iterator[Finding]:
    """Every module that the parameter is for must have it, of this type (param_export_t of each module)."""
    unknown = 0
    for parameter in overview.script.parameters:
        for module in _described(overview, parameter):
            known = module.parameters.get(parameter.name)
            if known is None:
                yield _unknown(overview, parameter, module, unknown)
                unknown += 1
            else:
                yield from _of_known(parameter, known)
                yield from _warned_of(parameter, module)


def _described(overview: Overview, parameter: ModuleParameter) -> tuple[Module, ...]:
    """The modules that a parameter is for, as far as they are described. Of several only those that are
    loaded count."""
    modules = overview.knowledge.modules
    names = overview.described(parameter)
    loaded = tuple(name for name in names if name in overview.loaded)
    if not loaded and len(names) > 1:
        return ()
    return tuple(modules[name] for name in loaded or names)


def _unknown(overview: Overview, parameter: ModuleParameter, module: Module, asked: int) -> Finding:
    version, name = overview.knowledge.version, parameter.name[:60]
    text = f"{module.name} of OpenSIPS {version} has no parameter {name}: {_EFFECT}."
    now = renamed()["parameters"].get(f"{module.name}.{parameter.name}")
    said = f"{text} {now}" if now else text + likely(parameter.name, module.parameters, asked)
    return Finding(Severity.ERROR, "parameter-unknown", parameter.place, said)


def _of_known(parameter: ModuleParameter, known: Parameter) -> Iterator[Finding]:
    is_text = isinstance(parameter.value, str)
    if known.type is ParameterType.INTEGER and is_text:
        text = f"{known.name} takes a number, and this is a text: {_EFFECT}. Write it without quotes."
        yield Finding(Severity.ERROR, "parameter-type", parameter.place, text)
    elif known.type is ParameterType.STRING and not is_text:
        text = f'{known.name} takes a text, and this is a number: {_EFFECT}. Write "{parameter.value}".'
        yield Finding(Severity.ERROR, "parameter-type", parameter.place, text)
    if known.replaced_by:
        text = f"{known.name} is an old name that still works. Write {known.replaced_by}."
        yield Finding(Severity.HINT, "parameter-old", parameter.place, text)


def _warned_of(parameter: ModuleParameter, module: Module) -> Iterator[Finding]:
    """A parameter that is still taken, with a warning in the log, and that later releases do not have."""
    if now := renamed()["parameters"].get(f"{module.name}.{parameter.name}"):
        effect = f"the proxy warns of it, and {RELEASE_4_0} does not start with it"
        text = f"{parameter.name} is an old name: {effect}."
        yield Finding(Severity.WARNING, "parameter-old", parameter.place, f"{text} {now}")


CHECKS = (without_module, names_and_types)

"""The commands of `efcpctl`.

Exit codes: 0 done, or nothing to change; 1 refused by the panel; 2 `plan` found changes; 3 carried out, but
not clean on every proxy; 4 no answer from the panel, or not in time; 64 wrong usage.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import click
from click.shell_completion import get_completion_class

from efcp import __version__
from efcp.client.output import COLUMNS, applied_lines, harmless, plan_lines, print_json, print_table
from efcp.client.panel import AddressError, PanelApi, PanelError, ProblemAnswerError

DONE, REFUSED, CHANGES, NOT_CLEAN, NO_ANSWER, USAGE = 0, 1, 2, 3, 4, 64
DEFAULT_URL = "http://127.0.0.1:8000"
STATES = ("active", "inactive", "probing")
WATCH_S = 25
LARGEST_DOCUMENT = 10_000_000


@dataclass(slots=True)
class Session:
    """What all commands share."""

    limit_s: float
    as_json: bool

    def panel(self) -> PanelApi:
        """The panel that the environment names. Raises AddressError."""
        return PanelApi.at(
            os.environ.get("EFCP_URL") or DEFAULT_URL,
            _token(),
            self.limit_s,
            permit_plain=os.environ.get("EFCP_INSECURE_HTTP") == "1",
        )


def _token() -> str:
    named = os.environ.get("EFCP_TOKEN_FILE")
    if not named:
        return os.environ.get("EFCP_TOKEN", "").strip()
    try:
        return Path(named).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise AddressError(f"EFCP_TOKEN_FILE can't be read: {error}") from None


@click.group(
    epilog="Exit codes: 0 done, or nothing to change; 1 refused; 2 plan found changes; 3 not clean on every"
    " proxy; 4 no answer; 64 wrong usage."
)
@click.version_option(__version__)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.option(
    "--timeout",
    "limit_s",
    type=click.FloatRange(0, 86_400, min_open=True),
    default=120.0,
    show_default=True,
    help="Seconds that the whole command may take.",
)
@click.pass_context
def cli(context: click.Context, limit_s: float, as_json: bool) -> None:
    """Work with an EFCP panel by its API.

    EFCP_URL is the panel's address (default http://127.0.0.1:8000), EFCP_TOKEN a token of it, or
    EFCP_TOKEN_FILE a file with one.
    """
    context.obj = Session(limit_s, as_json)


@cli.command("list")
@click.argument("resource", type=click.Choice(sorted(COLUMNS)))
@click.option("--module", default="dispatcher", show_default=True, help="The module of reloads.")
@click.option("--where", multiple=True, metavar="NAME=VALUE", help="A filter of the list, such as setid=1.")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=100, show_default=True)
@click.pass_obj
def list_items(session: Session, resource: str, module: str, where: Sequence[str], limit: int) -> None:
    """List destinations, proxies, runs and so on."""
    path = f"/{module}/reloads" if resource == "reloads" else f"/{resource}"
    filters = dict(_pair(each) for each in where)
    panel = session.panel()
    items = panel.get(path)["items"] if resource == "proxies" else list(panel.items(path, limit, **filters))
    print_json(items) if session.as_json else print_table(items, COLUMNS[resource])


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"{text} is not NAME=VALUE.", param_hint="--where")
    return name, value


@cli.command()
@click.argument("state", type=click.Choice(STATES), required=False)
@click.argument("destinations", type=int, nargs=-1)
@click.option("--set", "setid", type=int, help="Show only this set, or set the state of all in it.")
@click.option("--proxy", "proxies", multiple=True, help="Only this proxy, by name; repeat it.")
@click.option("--reason", default="", help="Kept with the run.")
@click.option("--dry-run", is_flag=True, help="Show what would happen; send nothing.")
@click.pass_obj
def state(
    session: Session,
    state: str | None,
    destinations: Sequence[int],
    setid: int | None,
    proxies: Sequence[str],
    reason: str,
    dry_run: bool,
) -> None:
    """Show the states on proxies; or set STATE of DESTINATIONS, which are ids of `list destinations`."""
    panel = session.panel()
    if state is None:
        items = list(panel.items("/states", 10_000, setid=setid))
        shown = [each for each in items if not proxies or each["proxy"] in proxies]
        print_json(shown) if session.as_json else print_table(shown, COLUMNS["states"])
        return
    chosen = list(destinations)
    if setid is not None:
        chosen += [each["id"] for each in panel.items("/destinations", 10_000, setid=setid, fields="id")]
    if not chosen:
        raise click.UsageError("Name destinations by id, or a set with --set.")
    body = {"state": state, "destinations": chosen, "reason": reason, **_on(panel, proxies)}
    _run(
        session, panel, "/state-runs", body, dry_run, ("proxy", "setid", "uri", "outcome", "before", "after")
    )


@cli.command()
@click.argument("module", type=click.Choice(["dispatcher", "dialplan"]), default="dispatcher")
@click.option("--proxy", "proxies", multiple=True, help="Only this proxy, by name; repeat it.")
@click.option("--first", help="The proxy to reload alone, before the others, which follow if it is clean.")
@click.option("--reset-states", is_flag=True, help="Take the table's states, not those in memory.")
@click.option("--allow", is_flag=True, help="Although calls lose destinations, or test cases fail.")
@click.option("--reason", default="", help="Kept with the run.")
@click.option("--dry-run", is_flag=True, help="Show what would happen; send nothing.")
@click.pass_obj
def reload(
    session: Session,
    module: str,
    proxies: Sequence[str],
    first: str | None,
    reset_states: bool,
    allow: bool,
    reason: str,
    dry_run: bool,
) -> None:
    """Have proxies load the table of MODULE, and read back what they hold."""
    panel = session.panel()
    body: dict[str, Any] = {"reason": reason, **_on(panel, proxies)}
    if first is not None:
        body["first"] = _ids(panel, [first])[0]
    if module == "dispatcher":
        body |= {"inherit_state": not reset_states, "allow_losses": allow}
    else:
        body |= {"allow_failures": allow}
    columns = ("proxy", "outcome", "clean", "loaded", "discarded", "differs", "message")
    _run(session, panel, f"/{module}/reloads", body, dry_run, columns)


@cli.command()
@click.argument("destination", type=int)
@click.option("--minutes", type=click.IntRange(1), default=60, show_default=True, help="For how long.")
@click.option("--in", "begins_in_minutes", type=click.IntRange(0), default=0, help="Minutes from now.")
@click.option("--proxy", "proxies", multiple=True, help="Only this proxy, by name; repeat it.")
@click.option("--reason", required=True, help="Why: others will wonder.")
@click.option("--allow-empty-set", is_flag=True, help="Although nothing active is left of the set.")
@click.option("--dry-run", is_flag=True, help="Show what would happen; plan nothing.")
@click.pass_obj
def maintain(
    session: Session, /, destination: int, proxies: Sequence[str], dry_run: bool, **body: Any
) -> None:
    """Take DESTINATION (an id) out of service for a time; the watcher puts it back."""
    panel = session.panel()
    written = panel.post(
        "/maintenance", {"destination": destination, **body, **_on(panel, proxies)}, **_dry(dry_run)
    )
    print_json(written) if session.as_json else print_table([written["data"]], COLUMNS["maintenance"])


@cli.group()
def preview() -> None:
    """Show what a proxy would do with a call or a number; nothing is sent."""


@preview.command("call")
@click.option("--set", "setid", type=int, default=1, show_default=True)
@click.option("--algorithm", type=int, default=0, show_default=True)
@click.option("--call-id", default=None)
@click.option("--request-uri", default=None)
@click.option("--failures", type=int, default=0, help="How many destinations fail, from the first.")
@click.pass_obj
def preview_call(session: Session, /, **given: Any) -> None:
    """Show which destination a call is sent to, and why."""
    body = {name: value for name, value in given.items() if value is not None}
    found = session.panel().call("POST", "/previews/call", body=body)
    if session.as_json:
        print_json(found)
        return
    chosen = found["chosen"]
    lines = [f"To {chosen['uri']} ({chosen['next_hop']})" if chosen else found["problem"]]
    lines += [f"then {each['uri']}" for each in found["failover"]] + found["steps"] + found["notes"]
    _print_lines(lines)


@preview.command("number")
@click.argument("dpid", type=int)
@click.argument("text")
@click.pass_obj
def preview_number(session: Session, dpid: int, text: str) -> None:
    """Show what dialplan DPID makes of TEXT."""
    found = session.panel().call("POST", "/previews/translation", body={"dpid": dpid, "input": text})
    print_json(found) if session.as_json else _print_lines([found["words"]])


@cli.command()
@click.argument("sections", nargs=-1, type=click.Choice(["sets", "dialplans", "maintenance", "proxies"]))
@click.pass_obj
def export(session: Session, sections: Sequence[str]) -> None:
    """Print the desired state as YAML: all of it, or some SECTIONS."""
    found = session.panel().get("/desired-state", sections=",".join(sections) or None)
    print_json(found) if session.as_json else click.echo(found["document"], nl=False)


_FILE = click.argument("file", type=click.File("r", encoding="utf-8"))
_ONLY = click.option("--only", multiple=True, metavar="SECTION[=1,2]", help="Such as sets=1,2; repeat it.")


@cli.command()
@_FILE
@_ONLY
@click.pass_obj
def plan(session: Session, file: IO[str], only: Sequence[str]) -> None:
    """Show what differs between FILE and the panel; nothing is written. Exits with 2 where something does."""
    body = {"document": _document(file), "only": list(only)}
    found = session.panel().call("POST", "/plan", body=body)
    print_json(found) if session.as_json else _print_lines(plan_lines(found))
    if found["change_count"]:
        sys.exit(CHANGES)


@cli.command()
@_FILE
@_ONLY
@click.option(
    "--reload", "reloads", is_flag=True, help="Reload the proxies, one first; roll back unless clean."
)
@click.option("--first", help="The proxy to reload first (default: by name).")
@click.option("--plan-id", default="", help="Only if the plan still is the one of this id.")
@click.option("--reason", default="Desired state", show_default=True, help="Stored in the change log.")
@click.option("--dry-run", is_flag=True, help="Show the plan; write nothing.")
@click.pass_obj
def apply(
    session: Session,
    file: IO[str],
    only: Sequence[str],
    reloads: bool,
    first: str | None,
    plan_id: str,
    reason: str,
    dry_run: bool,
) -> None:
    """Make the panel's tables as FILE has them, in one transaction."""
    panel = session.panel()
    body: dict[str, Any] = {"document": _document(file), "only": list(only), "reload": reloads}
    body |= {"plan_id": plan_id, "reason": reason}
    if first is not None:
        body["first"] = _ids(panel, [first])[0]
    answer = panel.post("/apply", body, **_dry(dry_run), **({} if dry_run else {"wait": 10}))
    run = answer["data"]
    if run is None:
        found = answer["effect"]
        print_json(found) if session.as_json else _print_lines(plan_lines(found))
        return
    run = panel.ended(f"/applied-plans/{run['id']}", run)
    print_json(run) if session.as_json else _print_lines(applied_lines(run))
    if not run["clean"]:
        sys.exit(NOT_CLEAN)


def _document(file: IO[str]) -> str:
    try:
        return file.read(LARGEST_DOCUMENT)
    except UnicodeDecodeError:
        raise click.UsageError(f"{file.name} is not UTF-8.") from None


@cli.command()
@click.option("--cursor", default="", help="`next` of an earlier answer: go on from there.")
@click.option("--follow", is_flag=True, help="Go on until --timeout, a line for each event.")
@click.pass_obj
def events(session: Session, cursor: str, follow: bool) -> None:
    """Wait for writes, state changes and reloads; print each once, and at the end the cursor to resume at."""
    panel = session.panel()
    try:
        while True:
            page = panel.get("/events", wait=WATCH_S if cursor else 0, cursor=cursor or None)
            cursor = page["next"]
            for event in page["items"]:
                print_json(event) if session.as_json else click.echo(_event_line(event))
            if not follow and page["items"]:
                break
    except (PanelError, KeyboardInterrupt):
        if not cursor:
            raise
    click.echo(f"cursor: {cursor}", err=True)


def _event_line(event: dict[str, Any]) -> str:
    data = event["data"]
    match event["kind"]:
        case "state":
            where = f"{data['uri']} in set {data['setid']} on {data['proxy']}"
            text = f"{where}: {data['before'] or 'absent'} to {data['after'] or 'absent'}"
        case "reload":
            text = f"{data['module']} on {data['proxy']} by {data['actor']}"
        case _:
            text = f"{data['action']} {data['label']} by {data['actor']}"
    return harmless(f"{data.get('at') or data.get('started_at')}  {event['kind']}  {text}")


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what makes SHELL complete commands: `source <(efcpctl completion bash)`."""
    found = get_completion_class(shell)
    if found is not None:
        click.echo(found(cli, {}, "efcpctl", "_EFCPCTL_COMPLETE").source())


def _run(
    session: Session, panel: PanelApi, path: str, body: dict[str, Any], dry_run: bool, columns: Sequence[str]
) -> None:
    """Begin a run, wait for its end, and exit with NOT_CLEAN unless all is as it should be."""
    if dry_run:
        print_json(panel.post(path, body, dry_run="true")["effect"])
        return
    run = panel.post(path, body, wait=10)["data"]
    run = panel.ended(f"{path}/{run['id']}", run)
    print_json(run) if session.as_json else print_table(run["results"], columns)
    if not run["clean"]:
        sys.exit(NOT_CLEAN)


def _on(panel: PanelApi, names: Sequence[str]) -> dict[str, list[int]]:
    return {"proxies": _ids(panel, names)} if names else {}


def _ids(panel: PanelApi, names: Sequence[str]) -> list[int]:
    known = {each["name"]: int(each["id"]) for each in panel.get("/proxies")["items"]}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise click.UsageError(f"There is no proxy {unknown[0]}.")
    return [known[name] for name in names]


def _dry(dry_run: bool) -> dict[str, str]:
    return {"dry_run": "true"} if dry_run else {}


def _print_lines(lines: Sequence[str]) -> None:
    for line in lines:
        click.echo(harmless(line))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command, and exit by its outcome."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code."""
    try:
        cli.main(args=arguments, prog_name="efcpctl", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return USAGE
    except click.Abort:
        return NO_ANSWER
    except AddressError as error:
        return _fail(str(error), USAGE)
    except PanelError as error:
        return _fail(str(error), NO_ANSWER)
    except ProblemAnswerError as error:
        return _fail("\n".join(map(harmless, error.lines)), REFUSED)
    return DONE


def _fail(text: str, code: int) -> int:
    click.echo(text, err=True)
    return code

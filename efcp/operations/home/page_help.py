"""What each page is for: shown beside it, and on the help page with the guide's step that it replaces."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GuideStep:
    """A step of the EF SIP Proxy guide on dispatching; `view` is the page that replaces it."""

    number: int
    title: str
    instead: str
    view: str


@dataclass(frozen=True, slots=True)
class PageHelp:
    """A few sentences on the pages whose view names begin with one of `covers`; `step` is the"
    " guide's, or 0."""

    covers: tuple[str, ...]
    text: str
    step: int = 0


STEPS = (
    GuideStep(
        1,
        "Adding the dispatcher module",
        "The script writer writes the module section; the checker finds what is missing or wrong in yours.",
        "script:write",
    ),
    GuideStep(
        2,
        "Implement the dialplan for each route",
        "Add rules to a dialplan, test numbers while you type, and reload without restarting OpenSIPS.",
        "dialplan:list",
    ),
    GuideStep(
        3,
        "Adding the routes for each destination",
        "The script writer writes a route per set; the call preview shows which destination it selects.",
        "script:write",
    ),
    GuideStep(
        4,
        "Adding failure route",
        "The script writer writes the failure route; the call preview plays failures through it.",
        "preview:call",
    ),
    GuideStep(
        5,
        "Adding destination through EF SIP proxy control panel",
        "Add a destination here and reload the proxies. No PHP file needs editing.",
        "dispatcher:list",
    ),
)

PAGES = (
    PageHelp(
        ("home", "panel:", "start"),
        "What is wrong now, what is planned and what happened last, on all proxies. Problems come first;"
        " the page updates itself.",
    ),
    PageHelp(
        ("dispatcher:",),
        "The dispatcher table: destinations (SIP URIs) grouped in sets. A script selects from a set with"
        " ds_select_dst. Weight sets the share of calls, priority the order. Proxies use a change only"
        " after a reload; each row shows the live state and what is not loaded yet.",
        5,
    ),
    PageHelp(
        ("operations:reload", "operations:run"),
        "Sends ds_reload to the selected proxies, so that they read the dispatcher table again. The page"
        " shows what would change first; afterwards the panel reads each proxy's list back and compares"
        " it.",
        5,
    ),
    PageHelp(
        ("operations:destination", "operations:probe"),
        "One destination: its state on each proxy over time, its share of calls, and who changed what. A"
        " probe sends one OPTIONS from the panel's host and changes no state.",
    ),
    PageHelp(
        ("operations:maintenance",),
        "Takes a destination out of service for a planned time: the panel sets it inactive on the proxies"
        " at the start and active again at the end, and keeps it inactive if a late probe reply"
        " reactivates it.",
    ),
    PageHelp(
        ("operations:board",),
        "Every set as the proxies have it in memory, problems first. Active destinations receive calls;"
        " probing and inactive ones don't. Grey means last known: the proxy is not responding.",
    ),
    PageHelp(
        ("operations:",),
        "Changes the state of destinations in the memory of the proxies with ds_set_state: active,"
        " inactive or probing. With persistent_state a proxy also writes the state to the table.",
    ),
    PageHelp(
        ("dialplan:", "operations_dialplan:"),
        "The dialplan table: rules that translate numbers. dp_translate tries the rules of one dpid by"
        " priority, lowest first. Test cases state what an input has to give and run at every edit and"
        " before each reload (dp_reload).",
        2,
    ),
    PageHelp(
        ("proxies:",),
        "The OpenSIPS proxies that the panel watches and reloads over MI (mi_http). The watcher reads"
        " their lists every few seconds; nothing here waits for a proxy.",
        1,
    ),
    PageHelp(
        ("preview:",),
        "Calculates what a proxy does with a call or a number, from the table or from its memory. Nothing"
        " is sent to a proxy, and the reasons are shown step by step.",
        4,
    ),
    PageHelp(
        ("script:",),
        "Writes the dispatcher and dialplan parts of opensips.cfg, or checks yours against your OpenSIPS"
        " version and the tables: unknown functions, missing modules, sets without destinations.",
        1,
    ),
    PageHelp(
        ("notifications:",),
        "Sends an e-mail or calls a webhook when destinations are down for longer than a delay, and again"
        " when they recover. Many at once make one message.",
    ),
    PageHelp(
        ("audit:",),
        "Who changed what, from which address, with the values before and after. Each record is saved in"
        " the same transaction as its change. Deleted rows can be restored from here.",
    ),
    PageHelp(
        ("accounts:",),
        "Your account, and for administrators all users. Viewers can see everything; operators can also"
        " change states and reload; administrators can also edit tables, proxies and users.",
    ),
)


def help_for(view_name: str) -> PageHelp | None:
    """The help with the longest prefix of a page's view name."""
    fitting = [
        (len(prefix), each) for each in PAGES for prefix in each.covers if view_name.startswith(prefix)
    ]
    return max(fitting, key=lambda pair: pair[0])[1] if fitting else None


def step_of(page: PageHelp) -> GuideStep | None:
    """The guide's step that the page replaces."""
    return next((step for step in STEPS if step.number == page.step), None)

"""What the environment says about this installation, read once and checked at start.

Every setting may also come from the file that `NAME_FILE` names, as container platforms hand out secrets. A
bad value raises ConfigurationError with one line for people; the commands print that line and exit without a
trace. Without any setting the installation is a trial: SQLite under var/, the sandbox, loopback only.
"""

import contextlib
import ipaddress
import os
import re
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from efcp.environment import ConfigurationError, Settings
from efcp.sign_in_settings import SignIn, sign_in_settings

PROJECT_DIR = Path(__file__).resolve().parent.parent
MIN_SECRET_LENGTH = 32
MIN_TOKEN_LENGTH = 16
MAX_PORT = 65535
LOG_FORMATS = ("plain", "json")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
EVERY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound
_HOST_NAME = re.compile(r"\.?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?")
_SMTP_PORTS = {"smtp": (25, ""), "smtp+starttls": (587, "starttls"), "smtps": (465, "tls")}
_ENCODE = "In user name and password write @ as %40, / as %2F, # as %23, ? as %3F, : as %3A and % as %25."
_MAIL_ADDRESS = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Database:
    """Where the tables are: `engine` is "sqlite" (`name` is a path) or "mysql"."""

    engine: str
    name: str
    user: str = ""
    password: str = ""
    host: str = ""
    port: int | None = None

    def __repr__(self) -> str:
        return f"Database({self.engine}, {self.name}, {self.host}:{self.port})"


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The embedded proxy. Ports that were set are kept; a busy default is replaced by the next free one.

    `ping_interval_s`, `threshold`, `probing_mode` and `fr_timeout_s` mean what ds_ping_interval,
    ds_probing_threshhold, ds_probing_mode and tm's fr_timeout mean.
    """

    enabled: bool
    mi_port: int
    mi_port_is_set: bool
    sip_port: int
    sip_port_is_set: bool
    ping_interval_s: int
    threshold: int
    probing_mode: int
    fr_timeout_s: int


@dataclass(frozen=True, slots=True)
class Watching:
    """The watcher: its pace, where events come to (port 0 is any free one), what is kept of the past."""

    interval_s: int
    event_address: str
    event_port: int
    history_days: int
    history_rows: int


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where e-mail goes out; `tls` is "" for none, "starttls" or "tls" from the first byte."""

    host: str
    port: int
    user: str
    password: str
    tls: str
    sender: str

    def __repr__(self) -> str:
        return f"MailServer({self.host}:{self.port})"


@dataclass(frozen=True, slots=True)
class SyslogReceiver:
    """Where audit records go: over TLS, verified by the PEM certificates in `authority` or the system's."""

    host: str
    port: int
    tls: bool
    authority: str


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings of one installation.

    `url` is the public origin, without a slash at its end, or empty. Where it is set, a TLS proxy on the same
    machine is trusted without being named. `upload_max` is in bytes.
    """

    trial: bool
    database: Database
    secret_key: str
    former_secret_key: str
    host: str
    port: int
    data_dir: Path
    url: str
    allowed_hosts: tuple[str, ...]
    trusted_proxies: tuple[Network, ...]
    proxy_networks: tuple[Network, ...]
    webhook_networks: tuple[Network, ...]
    heartbeat_url: str
    insecure_http: bool
    admin_password: str
    metrics_token: str
    log_format: str
    log_level: str
    mail_server: MailServer | None
    upload_max: int
    sign_in: SignIn
    syslog: SyslogReceiver | None
    audit_days: int
    watching: Watching
    sandbox: Sandbox

    @property
    def is_https(self) -> bool:
        """Whether browsers reach the panel over TLS."""
        return self.url.startswith("https://")

    @property
    def listens_beyond_loopback(self) -> bool:
        """Whether the panel's own address can be reached from other machines."""
        return not is_loopback(self.host)

    @property
    def is_published(self) -> bool:
        """Whether something in front of the panel lets other machines reach it."""
        return bool(self.url) and not is_loopback(str(urlsplit(self.url).hostname))

    def __repr__(self) -> str:
        return f"Configuration(trial={self.trial}, {self.database!r}, {self.host}:{self.port})"


def load(environ: Mapping[str, str] = os.environ) -> Configuration:
    """Read and check the settings in `environ`; raise ConfigurationError for the first bad one.

    In the trial a secret key is made up once and kept in the data folder, which is created where missing.
    """
    settings = Settings(environ)
    data_dir = Path(settings.text("EFCP_DATA_DIR", str(PROJECT_DIR / "var"))).absolute()
    url = _origin(settings.text("EFCP_URL"))
    host = _host(settings.text("EFCP_HOST", "127.0.0.1"))
    trial = not settings.is_set("DATABASE_URL")
    trusted = _networks(settings, "EFCP_TRUSTED_PROXIES", "127.0.0.1,::1" if url else "")
    configuration = Configuration(
        trial=trial,
        database=_database(settings.text("DATABASE_URL", f"sqlite:///{data_dir / 'efcp.sqlite3'}")),
        secret_key=_secret_key(settings, data_dir, trial),
        former_secret_key=settings.text("EFCP_FORMER_SECRET_KEY", ""),
        host=host,
        port=settings.integer("EFCP_PORT", 8000, 1, MAX_PORT),
        data_dir=data_dir,
        url=url,
        allowed_hosts=_allowed_hosts(settings, url, host),
        trusted_proxies=trusted,
        proxy_networks=_networks(settings, "EFCP_PROXY_NETWORKS"),
        webhook_networks=_networks(settings, "EFCP_WEBHOOK_NETWORKS"),
        heartbeat_url=settings.text("EFCP_HEARTBEAT_URL", ""),
        insecure_http=settings.flag("EFCP_INSECURE_HTTP", default=False),
        admin_password=settings.text("EFCP_ADMIN_PASSWORD"),
        metrics_token=_metrics_token(settings.text("EFCP_METRICS_TOKEN")),
        log_format=_one_of("EFCP_LOG_FORMAT", settings.text("EFCP_LOG_FORMAT", "plain"), LOG_FORMATS),
        log_level=_one_of("EFCP_LOG_LEVEL", settings.text("EFCP_LOG_LEVEL", "INFO"), LOG_LEVELS),
        mail_server=_mail_server(settings),
        upload_max=settings.size("EFCP_UPLOAD_MAX", "2G"),
        sign_in=sign_in_settings(settings, trusted),
        syslog=_syslog(settings),
        audit_days=settings.integer("EFCP_AUDIT_DAYS", 0, 0, 36_500),
        watching=_watching(settings),
        sandbox=_sandbox(settings, trial),
    )
    _refuse_plain_http_beyond_loopback(configuration)
    return configuration


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address, is this machine's own loopback."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def in_url(host: str) -> str:
    """The host as a URL has it: an IPv6 address in brackets (RFC 3986 section 3.2.2)."""
    return f"[{host}]" if ":" in host else host


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True


def _host(text: str) -> str:
    """The address or name to listen on, without brackets."""
    if not (_HOST_NAME.fullmatch(text) or _is_address(text)):
        raise ConfigurationError(f"EFCP_HOST is {text!r}; it must be an address or a host name.")
    return text.strip("[]")


def _database(url: str) -> Database:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigurationError(f"DATABASE_URL is not a URL. {_ENCODE}") from None
    if "@" in parts.path + parts.query + parts.fragment:
        raise ConfigurationError(f"DATABASE_URL has an @ after the host. {_ENCODE}")
    if parts.query or parts.fragment or url.endswith(("?", "#")):
        raise ConfigurationError(
            f"DATABASE_URL takes no options: remove what follows the schema name. {_ENCODE}"
        )
    if parts.scheme == "sqlite":
        path = unquote(parts.path[1:])
        if not path or parts.netloc:
            raise ConfigurationError(
                "DATABASE_URL must look like sqlite:///relative/path or sqlite:////absolute/path."
            )
        return Database("sqlite", str(Path(path).absolute()))
    if parts.scheme not in {"mysql", "mariadb"}:
        raise ConfigurationError("DATABASE_URL must begin with sqlite:// or mysql://.")
    name = unquote(parts.path[1:])
    if "/" in parts.path[1:]:
        raise ConfigurationError(f"DATABASE_URL has a / in the schema name. {_ENCODE}")
    if not (name and parts.hostname and parts.username):
        raise ConfigurationError("DATABASE_URL must look like mysql://user:password@host:port/name.")
    return Database(
        "mysql", name, unquote(parts.username), unquote(parts.password or ""), parts.hostname, port
    )


def _secret_key(settings: Settings, data_dir: Path, trial: bool) -> str:
    if settings.is_set("EFCP_SECRET_KEY"):
        key = settings.text("EFCP_SECRET_KEY")
        if len(key) < MIN_SECRET_LENGTH:
            raise ConfigurationError(
                f"EFCP_SECRET_KEY is too short: at least {MIN_SECRET_LENGTH} characters."
            )
        return key
    if not trial:
        raise ConfigurationError(
            "EFCP_SECRET_KEY is not set (required outside the trial): run `openssl rand -base64 48`."
        )
    return _trial_key(data_dir / "secret-key")


def _trial_key(path: Path) -> str:
    """The trial's own key, made up at first use; where several commands start at once, the first one's."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _write_whole(path, secrets.token_urlsafe(48))
        key = path.read_text(encoding="ascii")
    except OSError as error:
        raise ConfigurationError(f"EFCP_DATA_DIR: can't write to {path.parent}: {error.strerror}.") from None
    except UnicodeDecodeError:
        key = ""
    if len(key) < MIN_SECRET_LENGTH:
        raise ConfigurationError(f"EFCP_DATA_DIR: {path} contains no key; delete it to create a new one.")
    return key


def _write_whole(path: Path, text: str) -> None:
    """Create `path` with its text at once, for the owner only; leave it as it is where another was first."""
    with tempfile.NamedTemporaryFile("w", encoding="ascii", dir=path.parent) as file:
        file.write(text)
        file.flush()
        with contextlib.suppress(FileExistsError):
            os.link(file.name, path)


def _origin(url: str) -> str:
    if not url:
        return ""
    if "@" in url:
        raise ConfigurationError("EFCP_URL must not contain a user name or password.")
    bad = ConfigurationError(f"EFCP_URL is {url!r}; it must look like https://panel.example.org.")
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise bad from None
    if parts.scheme not in {"http", "https"} or not host:
        raise bad
    if not (_HOST_NAME.fullmatch(host) or _is_address(host)):
        raise bad
    if parts.path.rstrip("/") not in {"", "/cp"} or parts.query or parts.fragment:
        raise ConfigurationError("EFCP_URL must be the origin only: the panel is always under /cp/.")
    return f"{parts.scheme}://{parts.netloc}"


def _allowed_hosts(settings: Settings, url: str, host: str) -> tuple[str, ...]:
    hosts = ["127.0.0.1", "localhost", "[::1]"]
    if host not in EVERY_ADDRESS:
        hosts.append(in_url(host))
    if url:
        hosts.append(in_url(str(urlsplit(url).hostname)))
    for item in settings.text("EFCP_ALLOWED_HOSTS").split(","):
        name = item.strip()
        if name and not (_HOST_NAME.fullmatch(name) or _is_address(name)):
            raise ConfigurationError(
                f"EFCP_ALLOWED_HOSTS contains {name!r}; it takes comma-separated host names."
            )
        if name:
            hosts.append(in_url(name.strip("[]")))
    return tuple(dict.fromkeys(hosts))


def _networks(settings: Settings, name: str, default: str = "") -> tuple[Network, ...]:
    networks = []
    for item in filter(None, (part.strip() for part in settings.text(name, default).split(","))):
        try:
            networks.append(ipaddress.ip_network(item))
        except ValueError:
            raise ConfigurationError(
                f"{name} contains {item!r}; it takes addresses or networks such as 10.0.0.0/24."
            ) from None
    return tuple(networks)


def _mail_server(settings: Settings) -> MailServer | None:
    url = settings.text("EFCP_SMTP_URL")
    if not url:
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigurationError("EFCP_SMTP_URL is not a URL.") from None
    if parts.scheme not in _SMTP_PORTS or not host or parts.path.strip("/") or parts.query:
        raise ConfigurationError(
            "EFCP_SMTP_URL must look like smtp://host, smtp+starttls://user:password@host or smtps://host."
        )
    default_port, tls = _SMTP_PORTS[parts.scheme]
    return MailServer(
        host=host,
        port=port or default_port,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        tls=tls,
        sender=_sender(settings.text("EFCP_MAIL_FROM", f"efcp@{host}")),
    )


def _syslog(settings: Settings) -> SyslogReceiver | None:
    url = settings.text("EFCP_SYSLOG_URL")
    if not url:
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
        parts = urlsplit("")
    if parts.scheme not in {"tcp", "tls"} or not host or not port or parts.path.strip("/") or parts.query:
        raise ConfigurationError("EFCP_SYSLOG_URL must look like tcp://host:601 or tls://host:6514.")
    return SyslogReceiver(host, port, parts.scheme == "tls", settings.text("EFCP_SYSLOG_CA"))


def _sender(text: str) -> str:
    if not _MAIL_ADDRESS.fullmatch(text):
        raise ConfigurationError(f"EFCP_MAIL_FROM is {text!r}; it must be an e-mail address.")
    return text


def _metrics_token(token: str) -> str:
    if token and not (len(token) >= MIN_TOKEN_LENGTH and token.isascii() and token.isprintable()):
        raise ConfigurationError(f"EFCP_METRICS_TOKEN needs at least {MIN_TOKEN_LENGTH} ASCII characters.")
    return token


def _one_of(name: str, value: str, permitted: tuple[str, ...]) -> str:
    if value not in permitted:
        raise ConfigurationError(f"{name} is {value!r}: it must be one of {', '.join(permitted)}.")
    return value


def _watching(settings: Settings) -> Watching:
    address = settings.text("EFCP_EVENT_ADDRESS", "127.0.0.1").strip("[]")
    if not _is_address(address):
        raise ConfigurationError(
            f"EFCP_EVENT_ADDRESS is {address!r}; it must be an address of this machine, or 0.0.0.0."
        )
    return Watching(
        interval_s=settings.integer("EFCP_WATCH_INTERVAL", 2, 1, 3600),
        event_address=address,
        event_port=settings.integer("EFCP_EVENT_PORT", 0, 0, MAX_PORT),
        history_days=settings.integer("EFCP_HISTORY_DAYS", 400, 1, 3650),
        history_rows=settings.integer("EFCP_HISTORY_ROWS", 1_000_000, 1000, 100_000_000),
    )


def _sandbox(settings: Settings, trial: bool) -> Sandbox:
    return Sandbox(
        enabled=settings.flag("EFCP_SANDBOX", default=trial),
        mi_port=settings.integer("EFCP_SANDBOX_MI_PORT", 8888, 1, MAX_PORT),
        mi_port_is_set=settings.is_set("EFCP_SANDBOX_MI_PORT"),
        sip_port=settings.integer("EFCP_SANDBOX_SIP_PORT", 5060, 1, MAX_PORT),
        sip_port_is_set=settings.is_set("EFCP_SANDBOX_SIP_PORT"),
        ping_interval_s=settings.integer("EFCP_SANDBOX_PING_INTERVAL", 10, 0, 86_400),
        threshold=settings.integer("EFCP_SANDBOX_THRESHOLD", 1, 1, 1000),
        probing_mode=settings.integer("EFCP_SANDBOX_PROBING_MODE", 0, 0, 1),
        fr_timeout_s=settings.integer("EFCP_SANDBOX_FR_TIMEOUT", 2 if trial else 30, 1, 3600),
    )


def _refuse_plain_http_beyond_loopback(configuration: Configuration) -> None:
    if configuration.insecure_http or configuration.is_https:
        return
    if configuration.listens_beyond_loopback:
        raise ConfigurationError(
            f"EFCP_HOST is {configuration.host}, which other machines reach over plain HTTP: set EFCP_URL to"
            " the https:// address that a TLS proxy in front serves, or EFCP_INSECURE_HTTP=1 to do without."
        )
    if configuration.is_published:
        raise ConfigurationError(
            "EFCP_URL begins with http://, so passwords would travel in clear: use https://, or set"
            " EFCP_INSECURE_HTTP=1."
        )

"""Each setting of the environment: what is taken, and the one clear line for what is not."""

from pathlib import Path

import pytest

from efcp.configuration import Configuration, Database, MailServer, Watching, load
from efcp.environment import ConfigurationError

KEY = "0123456789-0123456789-0123456789"
SITE = {"DATABASE_URL": "mysql://efcp:hush@db.example.org:3307/opensips", "EFCP_SECRET_KEY": KEY}

BAD = [
    ("DATABASE_URL", "oracle://u:p@h/x", "DATABASE_URL must begin with sqlite:// or mysql://."),
    ("DATABASE_URL", "mysql://h/x", "DATABASE_URL must look like mysql://user:password@host:port/name."),
    ("DATABASE_URL", "mysql://u:p@h", "DATABASE_URL must look like mysql://user:password@host:port/name."),
    ("DATABASE_URL", "mysql://u:p@h:99999/x", "DATABASE_URL is not a URL."),
    ("DATABASE_URL", "mysql://u:p@[::1/x", "DATABASE_URL is not a URL."),
    (
        "DATABASE_URL",
        "mysql://u:p@ss/w#rd@h/x",
        "DATABASE_URL has an @ after the host. In user name and password",
    ),
    ("DATABASE_URL", "mysql://u:p@ss/w@h/x", "DATABASE_URL has an @ after the host."),
    ("DATABASE_URL", "mysql://u:12#w@h/x", "DATABASE_URL has an @ after the host."),
    ("DATABASE_URL", "mysql://u:12?w@h/x", "DATABASE_URL has an @ after the host."),
    (
        "DATABASE_URL",
        "mysql://u:p/w@h/x",
        "DATABASE_URL is not a URL. In user name and password write @ as %40",
    ),
    (
        "DATABASE_URL",
        "mysql://u:p[w@h/x",
        "DATABASE_URL is not a URL. In user name and password write @ as %40",
    ),
    ("DATABASE_URL", "mysql://u:p@ss/w/x", "DATABASE_URL has a / in the schema name."),
    (
        "DATABASE_URL",
        "mysql://u:p@h/x?ssl_ca=/x.pem",
        "DATABASE_URL takes no options: remove what follows",
    ),
    ("DATABASE_URL", "mysql://u:p@h/x#rd", "DATABASE_URL takes no options: remove what follows"),
    ("DATABASE_URL", "sqlite:///var/x.db?timeout=5", "DATABASE_URL takes no options: remove what follows"),
    ("DATABASE_URL", "sqlite://", "DATABASE_URL must look like sqlite:///relative/path or"),
    ("DATABASE_URL", "sqlite://var/x.db", "DATABASE_URL must look like sqlite:///relative/path or"),
    ("EFCP_SECRET_KEY", "short", "EFCP_SECRET_KEY is too short: at least 32 characters."),
    ("EFCP_HOST", "no such", "EFCP_HOST is 'no such'; it must be an address or a host name."),
    ("EFCP_HOST", "http://127.0.0.1", "EFCP_HOST is 'http://127.0.0.1'; it must be"),
    ("EFCP_HOST", "0.0.0.0", "EFCP_HOST is 0.0.0.0, which other machines reach over plain HTTP:"),
    ("EFCP_HOST", "::", "EFCP_HOST is ::, which other machines reach over plain HTTP:"),
    ("EFCP_PORT", "http", "EFCP_PORT is 'http'; it must be a whole number from 1 to 65535."),
    ("EFCP_PORT", "0", "EFCP_PORT is '0'; it must be"),
    ("EFCP_PORT", "65536", "EFCP_PORT is '65536'; it must be"),
    ("EFCP_PORT", "-1", "EFCP_PORT is '-1'; it must be"),
    ("EFCP_PORT", "８０００", "EFCP_PORT is '８０００'; it must be"),
    ("EFCP_ALLOWED_HOSTS", "*", "EFCP_ALLOWED_HOSTS contains '*'; it takes comma-separated host names."),
    ("EFCP_ALLOWED_HOSTS", "a.example.org,b/c", "EFCP_ALLOWED_HOSTS contains 'b/c'; it takes"),
    ("EFCP_ALLOWED_HOSTS", "a.example.org:80", "EFCP_ALLOWED_HOSTS contains 'a.example.org:80'; it takes"),
    ("EFCP_URL", "panel.example.org", "EFCP_URL is 'panel.example.org'; it must look like https://"),
    ("EFCP_URL", "https://", "EFCP_URL is 'https://'; it must look like https://"),
    ("EFCP_URL", "https://[::1", "EFCP_URL is 'https://[::1'; it must look like https://"),
    ("EFCP_URL", "https://h:99999", "EFCP_URL is 'https://h:99999'; it must look like https://"),
    ("EFCP_URL", "https://me:hush@h", "EFCP_URL must not contain a user name or password."),
    ("EFCP_URL", "https://h/panel", "EFCP_URL must be the origin only: the panel is always under /cp/."),
    ("EFCP_URL", "https://h/?a=1", "EFCP_URL must be the origin only: the panel is always under /cp/."),
    ("EFCP_URL", "http://panel.example.org", "EFCP_URL begins with http://, so passwords would travel"),
    (
        "EFCP_TRUSTED_PROXIES",
        "10.0.0.0/33",
        "EFCP_TRUSTED_PROXIES contains '10.0.0.0/33'; it takes addresses",
    ),
    ("EFCP_PROXY_NETWORKS", "10.0.0.1/8", "EFCP_PROXY_NETWORKS contains '10.0.0.1/8'; it takes addresses"),
    ("EFCP_WEBHOOK_NETWORKS", "hooks", "EFCP_WEBHOOK_NETWORKS contains 'hooks'; it takes addresses"),
    ("EFCP_TRUSTED_PROXIES", "127.0.0.1,front", "EFCP_TRUSTED_PROXIES contains 'front'; it takes addresses"),
    ("EFCP_INSECURE_HTTP", "maybe", "EFCP_INSECURE_HTTP is 'maybe'; it must be 1 or 0."),
    ("EFCP_SANDBOX", "2", "EFCP_SANDBOX is '2'; it must be 1 or 0."),
    ("EFCP_UPLOAD_MAX", "2", "EFCP_UPLOAD_MAX is '2'; it must be a size such as 500M or 2G."),
    ("EFCP_UPLOAD_MAX", "0G", "EFCP_UPLOAD_MAX is '0G'; it must be a size"),
    ("EFCP_UPLOAD_MAX", "-1M", "EFCP_UPLOAD_MAX is '-1M'; it must be a size"),
    ("EFCP_UPLOAD_MAX", "1.5G", "EFCP_UPLOAD_MAX is '1.5G'; it must be a size"),
    ("EFCP_UPLOAD_MAX", "２G", "EFCP_UPLOAD_MAX is '２G'; it must be a size"),
    ("EFCP_SANDBOX_MI_PORT", "70000", "EFCP_SANDBOX_MI_PORT is '70000'; it must be a whole number from 1 to"),
    ("EFCP_SANDBOX_SIP_PORT", "sip", "EFCP_SANDBOX_SIP_PORT is 'sip'; it must be a whole number from 1 to"),
    (
        "EFCP_METRICS_TOKEN",
        "short",
        "EFCP_METRICS_TOKEN needs at least 16 ASCII characters.",
    ),
    ("EFCP_SMTP_URL", "mail.example.org", "EFCP_SMTP_URL must look like smtp://host"),
    ("EFCP_SMTP_URL", "smtp://mail.example.org:x", "EFCP_SMTP_URL is not a URL."),
    ("EFCP_EVENT_ADDRESS", "panel.example", "EFCP_EVENT_ADDRESS is 'panel.example'; it must be an address"),
    ("EFCP_EVENT_PORT", "65536", "EFCP_EVENT_PORT is '65536'; it must be a whole number from 0 to 65535."),
    ("EFCP_WATCH_INTERVAL", "0", "EFCP_WATCH_INTERVAL is '0'; it must be a whole number from 1"),
    ("EFCP_HISTORY_ROWS", "999", "EFCP_HISTORY_ROWS is '999'; it must be a whole number from 1000"),
    ("EFCP_SANDBOX_PING_INTERVAL", "1.5", "EFCP_SANDBOX_PING_INTERVAL is '1.5'; it must be a whole number"),
    ("EFCP_SANDBOX_PING_INTERVAL", "0" * 13 + "9", "EFCP_SANDBOX_PING_INTERVAL is '"),
    (
        "EFCP_SANDBOX_THRESHOLD",
        "0",
        "EFCP_SANDBOX_THRESHOLD is '0'; it must be a whole number from 1 to 1000.",
    ),
    (
        "EFCP_SANDBOX_PROBING_MODE",
        "2",
        "EFCP_SANDBOX_PROBING_MODE is '2'; it must be a whole number from 0 to",
    ),
    ("EFCP_SANDBOX_FR_TIMEOUT", "0", "EFCP_SANDBOX_FR_TIMEOUT is '0'; it must be a whole number from 1 to"),
]


@pytest.fixture
def trial(tmp_path: Path) -> dict[str, str]:
    """Return an environment without any setting but a folder of its own."""
    return {"EFCP_DATA_DIR": str(tmp_path)}


def refusal(environ: dict[str, str]) -> str:
    """Return the line with which the environment is refused."""
    with pytest.raises(ConfigurationError) as caught:
        load(environ)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "line"), BAD, ids=[f"{name}={value[:20]}" for name, value, _ in BAD]
)
def test_a_bad_value_is_reported_in_one_line_that_begins_with_the_setting(
    name: str, value: str, line: str, trial: dict[str, str]
) -> None:
    message = refusal(trial | {"EFCP_SECRET_KEY": KEY} | {name: value})
    assert message.startswith(line)
    assert "\n" not in message
    assert "hush" not in message


@pytest.mark.parametrize("name", sorted({name for name, _value, _line in BAD}))
def test_every_setting_is_also_read_from_a_file(name: str, trial: dict[str, str], tmp_path: Path) -> None:
    value, line = next((value, line) for bad, value, line in BAD if bad == name)
    (tmp_path / "setting").write_text(f"{value}\n", encoding="utf-8")
    assert refusal(trial | {f"{name}_FILE": str(tmp_path / "setting")}).startswith(line)


def test_a_file_that_is_missing_is_named(trial: dict[str, str]) -> None:
    message = refusal(trial | {"EFCP_SECRET_KEY_FILE": "/nowhere/key"})
    assert (
        message == "EFCP_SECRET_KEY_FILE names /nowhere/key, which can't be read: No such file or directory."
    )


def test_a_file_that_is_no_text_is_named(trial: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"\xff" * 40)
    message = refusal(trial | {"EFCP_SECRET_KEY_FILE": str(tmp_path / "key")})
    assert message == f"EFCP_SECRET_KEY_FILE names {tmp_path / 'key'}, which can't be read: not valid UTF-8."


def test_a_setting_that_is_given_in_both_ways_is_refused(trial: dict[str, str]) -> None:
    message = refusal(trial | {"EFCP_SECRET_KEY": KEY, "EFCP_SECRET_KEY_FILE": "/run/secrets/key"})
    assert message == "EFCP_SECRET_KEY and EFCP_SECRET_KEY_FILE are both set; set only one."


@pytest.mark.parametrize("url", [SITE["DATABASE_URL"], "sqlite:////var/lib/efcp/efcp.sqlite3"])
def test_outside_the_trial_nothing_starts_without_a_secret_key(url: str, trial: dict[str, str]) -> None:
    assert refusal(trial | {"DATABASE_URL": url}).startswith("EFCP_SECRET_KEY is not set")


def test_a_data_folder_that_cannot_be_created_is_named() -> None:
    assert refusal({"EFCP_DATA_DIR": "/proc/efcp"}).startswith("EFCP_DATA_DIR: can't write to /proc/efcp:")


def test_an_emptied_trial_key_is_not_signed_with(trial: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "secret-key").touch()
    assert refusal(trial).startswith(f"EFCP_DATA_DIR: {tmp_path / 'secret-key'} contains no key;")


def test_without_settings_it_is_the_trial_on_loopback(trial: dict[str, str], tmp_path: Path) -> None:
    configuration = load(trial)
    assert configuration.trial
    assert configuration.database == Database("sqlite", str(tmp_path / "efcp.sqlite3"))
    assert (configuration.host, configuration.port) == ("127.0.0.1", 8000)
    assert not configuration.listens_beyond_loopback


def test_the_trial_s_sandbox_runs_with_the_defaults_of_the_guide(trial: dict[str, str]) -> None:
    sandbox = load(trial).sandbox
    assert (sandbox.enabled, sandbox.mi_port, sandbox.sip_port) == (True, 8888, 5060)
    assert (sandbox.ping_interval_s, sandbox.threshold, sandbox.probing_mode) == (10, 1, 0)
    assert sandbox.fr_timeout_s == 2


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example", MailServer("mail.example", 25, "", "", "", "efcp@mail.example")),
        ("smtps://mail.example:99", MailServer("mail.example", 99, "", "", "tls", "efcp@mail.example")),
        (
            "smtp+starttls://us%40er:pass%3A@mail.example",
            MailServer("mail.example", 587, "us@er", "pass:", "starttls", "efcp@mail.example"),
        ),
    ],
)
def test_the_mail_server_is_a_url(url: str, server: MailServer, trial: dict[str, str]) -> None:
    found = load(trial | {"EFCP_SMTP_URL": url}).mail_server
    assert found == server
    assert "pass" not in repr(found)


def test_a_sender_is_an_address(trial: dict[str, str]) -> None:
    settings = trial | {"EFCP_SMTP_URL": "smtp://mail.example", "EFCP_MAIL_FROM": "The panel"}
    assert refusal(settings) == "EFCP_MAIL_FROM is 'The panel'; it must be an e-mail address."


def test_without_settings_the_watcher_takes_events_on_loopback(trial: dict[str, str]) -> None:
    assert load(trial).watching == Watching(2, "127.0.0.1", 0, 400, 1_000_000)


def test_events_may_come_to_an_address_in_brackets(trial: dict[str, str]) -> None:
    assert load(trial | {"EFCP_EVENT_ADDRESS": "[::1]"}).watching.event_address == "::1"


@pytest.mark.parametrize(
    ("size", "in_bytes"), [("2G", 2_000_000_000), ("500m", 500_000_000), ("64K", 64_000)]
)
def test_the_largest_upload_is_a_size(size: str, in_bytes: int, trial: dict[str, str]) -> None:
    assert load(trial | {"EFCP_UPLOAD_MAX": size}).upload_max == in_bytes


def test_without_a_setting_uploads_may_have_2_gigabytes(trial: dict[str, str]) -> None:
    assert load(trial).upload_max == 2_000_000_000


def test_a_site_s_sandbox_runs_only_when_enabled(trial: dict[str, str]) -> None:
    assert not load(trial | SITE).sandbox.enabled
    enabled = load(trial | SITE | {"EFCP_SANDBOX": "1"}).sandbox
    assert (enabled.enabled, enabled.fr_timeout_s) == (True, 30)


def test_the_trial_keeps_the_key_that_it_generated(trial: dict[str, str], tmp_path: Path) -> None:
    key = load(trial).secret_key
    assert load(trial).secret_key == key
    assert (tmp_path / "secret-key").stat().st_mode & 0o777 == 0o600


def test_a_database_url_is_taken_apart(trial: dict[str, str]) -> None:
    url = "mysql://ef%40cp:h%2Fsh@db.example.org:3307/opensips"
    database = load(trial | SITE | {"DATABASE_URL": url}).database
    assert database == Database("mysql", "opensips", "ef@cp", "h/sh", "db.example.org", 3307)
    url = "mysql://efcp:p%40ss%2Fw%23rd@db.example.org/opensips"
    assert load(trial | SITE | {"DATABASE_URL": url}).database.password == "p@ss/w#rd"


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://panel.example.org", "https://panel.example.org"),
        ("https://panel.example.org:8443/cp/", "https://panel.example.org:8443"),
        ("https://[2001:db8::1]/", "https://[2001:db8::1]"),
    ],
)
def test_the_public_address_is_reduced_to_its_origin(url: str, origin: str, trial: dict[str, str]) -> None:
    configuration = load(trial | {"EFCP_URL": url})
    assert configuration.url == origin
    assert configuration.is_https


def test_the_host_of_the_public_address_is_allowed(trial: dict[str, str]) -> None:
    assert "[2001:db8::1]" in load(trial | {"EFCP_URL": "https://[2001:db8::1]:8443"}).allowed_hosts


def test_the_address_that_is_listened_on_is_allowed(trial: dict[str, str]) -> None:
    environ = trial | {"EFCP_HOST": "192.0.2.7", "EFCP_INSECURE_HTTP": "1"}
    assert "192.0.2.7" in load(environ).allowed_hosts


def test_more_hosts_can_be_allowed(trial: dict[str, str]) -> None:
    allowed = load(trial | {"EFCP_ALLOWED_HOSTS": "a.example.org, 192.0.2.7 ,::2"}).allowed_hosts
    assert {"a.example.org", "192.0.2.7", "[::2]"} < set(allowed)


def test_behind_https_a_proxy_on_the_same_machine_is_trusted(trial: dict[str, str]) -> None:
    trusted = load(trial | {"EFCP_URL": "https://panel.example.org"}).trusted_proxies
    assert [str(network) for network in trusted] == ["127.0.0.1/32", "::1/128"]


def test_without_a_public_address_no_proxy_is_trusted(trial: dict[str, str]) -> None:
    assert load(trial).trusted_proxies == ()


@pytest.mark.parametrize("more", [{"EFCP_URL": "https://panel.example.org"}, {"EFCP_INSECURE_HTTP": "yes"}])
def test_beyond_loopback_it_needs_https_or_an_explicit_setting(
    more: dict[str, str], trial: dict[str, str]
) -> None:
    assert load(trial | {"EFCP_HOST": "0.0.0.0"} | more).listens_beyond_loopback


def test_brackets_of_an_ipv6_address_are_taken_off(trial: dict[str, str]) -> None:
    assert load(trial | {"EFCP_HOST": "[::1]"}).host == "::1"


def test_no_secret_is_in_what_a_log_or_a_debugger_shows(trial: dict[str, str]) -> None:
    configuration: Configuration = load(trial | SITE | {"EFCP_ADMIN_PASSWORD": "first-hush"})
    shown = repr(configuration) + str(configuration) + repr(configuration.database)
    assert not any(secret in shown for secret in ("hush", KEY))

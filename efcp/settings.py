"""Django's settings, derived from the installation's configuration (efcp/configuration.py)."""

from typing import Any

from csp.constants import NONCE, NONE, SELF

from efcp import configuration

CONFIGURATION = configuration.load()
LOG_FORMATTERS = {"plain": "efcp.logs.PlainFormatter", "json": "efcp.logs.JsonFormatter"}

SECRET_KEY = CONFIGURATION.secret_key
SECRET_KEY_FALLBACKS = [CONFIGURATION.former_secret_key] if CONFIGURATION.former_secret_key else []
DEBUG = False
ALLOWED_HOSTS = list(CONFIGURATION.allowed_hosts)
EFCP_TRUSTED_PROXIES = CONFIGURATION.trusted_proxies
if CONFIGURATION.url:
    CSRF_TRUSTED_ORIGINS = [CONFIGURATION.url]
if CONFIGURATION.is_https:
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^cp/(healthz|readyz)$"]
    # Only a trusted proxy's header gets this far (efcp/proxy_headers.py).
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "template_partials",
    "csp",
    "django.forms",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.socialaccount",
    "efcp.accounts",
    "efcp.audit",
    "efcp.charts",
    "efcp.proxies",
    "django_tasks",
    "django_tasks_db",
    "efcp.jobs",
    "efcp.editing",
    "dispatcher",
    "dialplan",
    "efcp.script",
    "efcp.operations",
    "efcp.preview",
    "efcp.api",
    "efcp.sandbox",
    "efcp.launch",
]

MIDDLEWARE = [
    "efcp.proxy_headers.TrustedProxyMiddleware",
    "efcp.logs.RequestLogMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # Behind the one above: the panel's own styles and scripts may be stored.
    "efcp.accounts.middleware.NoStoreMiddleware",
    "efcp.compression.CompressionMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "efcp.accounts.session_store.UserMiddleware",
    *(["efcp.accounts.remote_user.RemoteUserMiddleware"] if CONFIGURATION.sign_in.remote_user else []),
    "efcp.accounts.middleware.EndedSessionMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "efcp.accounts.middleware.PasswordChangeMiddleware",
    "efcp.accounts.middleware.SessionAgeMiddleware",
    "efcp.accounts.middleware.TimeZoneMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "dialplan.middleware.RuleEffortMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]

ROOT_URLCONF = "efcp.urls"
WSGI_APPLICATION = "efcp.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [configuration.PROJECT_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["efcp.proxies.templatetags.moments"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "efcp.proxies.context.proxy_dots",
                "efcp.preview.pages.preview_tabs",
                "efcp.operations.home.navigation.navigation",
                "efcp.operations.home.navigation.page_help",
            ],
        },
    },
    {
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "DIRS": [configuration.PROJECT_DIR / "templates"],
        "OPTIONS": {"environment": "efcp.jinja.environment"},
    },
]

FORM_RENDERER = "efcp.forms.FieldRenderer"


def _database(database: configuration.Database) -> dict[str, Any]:
    """Django's settings for the database."""
    if database.engine == "sqlite":
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": database.name,
            # Panel, watcher, worker and sandbox all write: WAL, and the write lock taken at BEGIN, so that
            # a waiting writer waits for its turn instead of failing when a read turns into a write.
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 60,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            },
        }
    return {
        "ENGINE": "efcp.database.mysql",
        "NAME": database.name,
        "USER": database.user,
        "PASSWORD": database.password,
        "HOST": database.host,
        "PORT": str(database.port or ""),
        "CONN_MAX_AGE": 300,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "charset": "utf8mb4",
            "isolation_level": "read committed",
            "sql_mode": "STRICT_ALL_TABLES",
            "connect_timeout": 5,
        },
    }


DATABASES = {"default": _database(CONFIGURATION.database)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["efcp.accounts.backends.RoleBackend"]
LOGIN_URL = "accounts:sign-in"
LOGIN_REDIRECT_URL = "dispatcher:list"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "efcp.accounts.passwords.NotTooLongValidator"},
    {"NAME": "efcp.accounts.passwords.NotTheUserNameValidator"},
    {"NAME": "efcp.accounts.passwords.NotTheFirstPasswordValidator"},
]
SESSION_ENGINE = "efcp.accounts.session_store"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "efcp.accounts.views.csrf_failure"

# Second factors and links to accounts at providers are django-allauth's; its own pages are not used.
ACCOUNT_USER_MODEL_EMAIL_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
MFA_ADAPTER = "efcp.accounts.factors.FactorAdapter"
MFA_TOTP_TOLERANCE = 1
# Conditional unique constraints that MariaDB doesn't have: efcp/accounts/factors.py locks the user instead.
SILENCED_SYSTEM_CHECKS = ["models.W036"]
# A passkey replaces the password where this permits it.
PASSKEY_SIGN_IN = CONFIGURATION.sign_in.passkey_only
OIDC_PROVIDERS = {provider.key: provider for provider in CONFIGURATION.sign_in.providers}
LOCAL_USERS = frozenset(CONFIGURATION.sign_in.local_users)
REMOTE_USER = CONFIGURATION.sign_in.remote_user
CONFIRM_AFTER_S = CONFIGURATION.sign_in.confirm_minutes * 60
CONFIRM_STATES = CONFIGURATION.sign_in.confirm_states

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False

STATIC_URL = "/cp/static/"
STATICFILES_DIRS = [configuration.PROJECT_DIR / "static"]
STATIC_ROOT = CONFIGURATION.data_dir / "static"
STORAGES = {
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_MAX_AGE = 3600

TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": ["default"]}}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": LOG_FORMATTERS[CONFIGURATION.log_format]}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": CONFIGURATION.log_level},
    "loggers": {
        # Each refused request has its line already; what matters of them is in the audit.
        "django.request": {"level": "ERROR"},
        "django.server": {"level": "WARNING"},
        "django_tasks": {"level": "WARNING"},
        "django_tasks_db": {"level": "WARNING"},
        # It warns of each HEAD request whose answer has a body, and drops the body as it should.
        "gunicorn.http.wsgi": {"level": "ERROR"},
    },
}

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [NONE],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}

# Where what people upload is kept, and how many bytes it may have.
UPLOAD_DIR = CONFIGURATION.data_dir / "uploads"
UPLOAD_MAX = CONFIGURATION.upload_max
# No form takes files but that of call logs, which has a handler of its own: what else comes is not stored.
# A form may name the thousand destinations whose states are set at once, and its own fields beside them.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000
FILE_UPLOAD_HANDLERS: list[str] = []

# Where audit records are sent to, and for how many days they are kept; 0 is forever.
SYSLOG = CONFIGURATION.syslog
AUDIT_DAYS = CONFIGURATION.audit_days

# What Prometheus has to send; empty turns the metrics off.
METRICS_TOKEN = CONFIGURATION.metrics_token

# Where e-mail goes out; without a server no rule can send any.
MAIL_SERVER = CONFIGURATION.mail_server
EMAIL_HOST = MAIL_SERVER.host if MAIL_SERVER else ""
EMAIL_PORT = MAIL_SERVER.port if MAIL_SERVER else 25
EMAIL_HOST_USER = MAIL_SERVER.user if MAIL_SERVER else ""
EMAIL_HOST_PASSWORD = MAIL_SERVER.password if MAIL_SERVER else ""
EMAIL_USE_TLS = MAIL_SERVER is not None and MAIL_SERVER.tls == "starttls"
EMAIL_USE_SSL = MAIL_SERVER is not None and MAIL_SERVER.tls == "tls"
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = MAIL_SERVER.sender if MAIL_SERVER else "efcp@localhost"
# The prefix of addresses in messages, where it is set.
PUBLIC_URL = CONFIGURATION.url

# What proxies and webhooks may be at; link-local and metadata addresses never (efcp/mi/endpoint.py).
PROXY_NETWORKS = CONFIGURATION.proxy_networks
WEBHOOK_NETWORKS = CONFIGURATION.webhook_networks

# Where the leading watcher posts every minute, so that a dead panel is noticed from outside; empty: nowhere.
HEARTBEAT_URL = CONFIGURATION.heartbeat_url

# The watcher's pace and the place that events come to; what is kept of the past.
WATCHING = CONFIGURATION.watching
# "All proxies" means the sandbox too only where no other database than the trial's is at stake.
SANDBOX_IS_PART_OF_ALL = CONFIGURATION.trial

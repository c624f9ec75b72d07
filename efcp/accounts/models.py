"""Users of the panel."""

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.utils import timezone
from django.utils.crypto import salted_hmac

from efcp.accounts.roles import PERMISSIONS, Role


class Theme(models.TextChoices):
    """Which colours the pages have."""

    SYSTEM = "", "System"
    LIGHT = "light", "Light"
    DARK = "dark", "Dark"


class Density(models.TextChoices):
    """How much space the rows of tables take."""

    COMFORTABLE = "", "Comfortable"
    COMPACT = "compact", "Compact"


class StartPage(models.TextChoices):
    """The page shown after signing in; a value is a view name."""

    HOME = "home", "Home"
    DISPATCHER = "dispatcher:list", "Dispatcher"
    BOARD = "operations:board", "State board"
    DIALPLAN = "dialplan:list", "Dialplan"
    PROXIES = "proxies:list", "Proxies"


class UserQueries(BaseUserManager["User"]):
    """Queries for users; names are compared as the database compares them."""


class User(AbstractBaseUser):
    """A person who may sign in, with one role."""

    username = models.CharField(max_length=64, unique=True)
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.VIEWER)
    is_active = models.BooleanField(default=True)
    must_change_password = models.BooleanField(default=False)
    time_zone = models.CharField(max_length=64, blank=True, default="")
    """The IANA name of the zone of this user's clock; empty, which means UTC, until it is known."""
    time_zone_is_chosen = models.BooleanField(default=False)
    """Whether the user chose the zone; otherwise it follows the browser."""
    theme = models.CharField(max_length=8, choices=Theme.choices, blank=True, default=Theme.SYSTEM)
    density = models.CharField(max_length=8, choices=Density.choices, blank=True, default=Density.COMFORTABLE)
    start_page = models.CharField(max_length=32, choices=StartPage.choices, default=StartPage.HOME)
    page_size = models.PositiveSmallIntegerField(default=30)
    """Rows of a page of the destination and rule lists."""
    list_settings = models.TextField(blank=True, default="")
    """Hidden columns and saved filters by list, as JSON (efcp/accounts/list_settings.py)."""
    hides_first_steps = models.BooleanField(default=False)
    session_epoch = models.PositiveIntegerField(default=0)
    """Raised to end all sessions of the user."""
    notice = models.CharField(max_length=255, blank=True, default="")
    """What an administrator did to the account, shown after the next sign-in."""
    created_at = models.DateTimeField(auto_now_add=True)

    GUARDED = ("username", "role", "is_active", "must_change_password", "password")
    """What an administrator's form about a user is guarded by (efcp.audit.edit_tokens)."""

    objects: ClassVar[UserQueries] = UserQueries()

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        db_table = "efcp_user"
        ordering = ("username",)

    def __str__(self) -> str:
        return self.username

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Django's digest of the password, and of the epoch once that was raised."""
        if not self.session_epoch:
            return super()._get_session_auth_hash(secret=secret)  # type: ignore[misc,no-any-return]
        value = f"{self.password}:{self.session_epoch}"
        return salted_hmac("efcp.accounts.session", value, secret=secret, algorithm="sha256").hexdigest()

    def has_perm(self, permission: str, obj: Any = None) -> bool:
        """Whether the user's role permits `permission` (see efcp/accounts/roles.py)."""
        return self.is_active and permission in PERMISSIONS.get(self.role, frozenset())

    def has_perms(self, permissions: tuple[str, ...] | list[str], obj: Any = None) -> bool:
        """Whether the user's role permits all of `permissions`."""
        return all(self.has_perm(permission, obj) for permission in permissions)

    @property
    def may_operate(self) -> bool:
        """Whether the user may set states and reload proxies."""
        return self.has_perm("efcp.operate")

    @property
    def may_administer(self) -> bool:
        """Whether the user may change tables, proxies and users."""
        return self.has_perm("efcp.administer")


class RolePolicy(models.Model):
    """What signing in takes for the users of a role; a role without a row has no requirements."""

    role = models.CharField(max_length=16, choices=Role.choices, primary_key=True)
    needs_factor = models.BooleanField(default=False)
    idle_minutes = models.PositiveSmallIntegerField(default=0)
    """After so long without activity a session ends; 0 is settings.SESSION_COOKIE_AGE."""

    GUARDED = ("needs_factor", "idle_minutes")

    class Meta:
        db_table = "efcp_role_policy"

    def __str__(self) -> str:
        return self.role


class FailedLogins(models.Model):
    """How many logins in a row failed for one account or from one address.

    The row stands for all processes of the panel. An account is any name that was typed, whether a user
    bears it or not; the key comes from a keyed digest of it. efcp/accounts/throttle.py limits the rows too.
    """

    key = models.CharField(max_length=80, primary_key=True)
    count = models.PositiveIntegerField(default=0)
    last_at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "efcp_wrong_tries"

    def __str__(self) -> str:
        return f"{self.count} failed logins of {self.key}"


class ApiToken(models.Model):
    """A key to the API: of its owner, or of a service account where it has none.

    Only a digest of the secret is stored; `prefix`, its public part, finds the row. `modules`, `sets` and
    `networks` limit what it is good for; empty is no limit.
    """

    name = models.CharField(max_length=64)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="api_tokens")
    role = models.CharField(max_length=16, choices=Role.choices)
    prefix = models.CharField(max_length=12, unique=True)
    digest = models.CharField(max_length=64)
    modules = models.JSONField(default=list)
    sets = models.JSONField(default=list)
    networks = models.JSONField(default=list)
    created_by = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    last_address = models.CharField(max_length=45, blank=True, default="")
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "efcp_api_token"
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def is_over(self) -> bool:
        """Whether it was revoked or has expired."""
        now = timezone.now()
        return self.revoked_at is not None or (self.expires_at is not None and self.expires_at <= now)

    @property
    def actor_name(self) -> str:
        """Who acts with it, for the audit."""
        return self.owner.username if self.owner else self.name

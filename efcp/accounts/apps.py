"""The people who sign in."""

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in


class AccountsConfig(AppConfig):
    """Users, roles, signing in."""

    name = "efcp.accounts"
    label = "accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        """Let a session's age begin when its user signs in, and have old counts of tries forgotten."""
        from efcp.accounts.sessions import prune_sessions, start_session_age
        from efcp.accounts.throttle import prune_failed_logins
        from efcp.jobs import cleanup

        user_logged_in.connect(start_session_age, dispatch_uid="efcp.accounts.sessions")
        cleanup.register("wrong tries", prune_failed_logins)
        cleanup.register("notes of ended sessions", prune_sessions)

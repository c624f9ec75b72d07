"""The people who sign in."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Users, roles, signing in."""

    name = "efcp.accounts"
    label = "accounts"
    verbose_name = "Accounts"

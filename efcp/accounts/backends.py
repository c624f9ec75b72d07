"""How a user is found and checked."""

from django.contrib.auth.backends import ModelBackend


class RoleBackend(ModelBackend):
    """Passwords as Django keeps them; permissions come from the role (User.has_perm), not from tables."""

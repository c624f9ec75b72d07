"""A password hasher that counts its work."""

from django.contrib.auth.hashers import MD5PasswordHasher


class CountingHasher(MD5PasswordHasher):
    """Counts how often a password was hashed."""

    algorithm = "counted"
    count = 0

    def encode(self, password: str, salt: str) -> str:
        """Hash, and count it."""
        type(self).count += 1
        return super().encode(password, salt)

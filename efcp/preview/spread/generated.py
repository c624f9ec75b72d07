"""Calls made up for a spread: the same seed gives the same calls."""

from random import Random

from dispatcher.routing.requests import Request

_DOMAIN = "example.org"


def generated_calls(count: int, seed: int) -> list[Request]:
    """`count` calls with Call-IDs, numbers of caller and callee, and auth users drawn at random.

    The custom key is the caller's number.
    """
    dice = Random(seed)  # noqa: S311 - repeatable, not secret
    return [_call(dice) for _ in range(count)]


def _call(dice: Random) -> Request:
    caller = f"+4930{dice.randrange(10**7):07}"
    callee = f"sip:+4989{dice.randrange(10**7):07}@{_DOMAIN}"
    return Request(
        request_uri=callee,
        from_uri=f"sip:{caller}@{_DOMAIN}",
        to_uri=callee,
        call_id=f"{dice.getrandbits(64):016x}@{_DOMAIN}",
        auth_user=caller,
        hash_value=caller,
    )

"""The algorithms and flags of ds_select_dst, in words. As dispatch.c has them in 3.4, 3.6 and 4.0."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Algorithm:
    """How a destination is chosen. `parameter` is the module parameter that it reads, `needs` names it."""

    words: str
    parameter: str = ""
    needs: str = ""


ALGORITHMS = {
    0: Algorithm("by a hash of the Call-ID"),
    1: Algorithm("by a hash of the From address"),
    2: Algorithm("by a hash of the To address"),
    3: Algorithm("by a hash of the request URI"),
    4: Algorithm("in turn, each as many times in a row as its weight says"),
    5: Algorithm("by a hash of the user that authenticates"),
    6: Algorithm("at random"),
    7: Algorithm("by a hash of a variable", "hash_pvar", "the variable to hash, as $hdr(X-Tenant)"),
    8: Algorithm("the first one that is active"),
    9: Algorithm(
        "by the least load", "pvar_algo_pattern", "the variable that tells a load, as $stat(load_%u)"
    ),
    10: Algorithm("by the lowest score", "algo_route", "the name of the route that scores"),
}

FLAGS = {
    "f": "f keeps the others for the next try",
    "u": "u hashes the user part only",
    "d": "d keeps the last destination for when no other is active",
    "a": "a adds to what was chosen before",
}


def parameter_of(algorithm: int) -> str:
    """The module parameter that an algorithm reads, "" for none; an unknown algorithm reads none."""
    known = ALGORITHMS.get(algorithm)
    return known.parameter if known else ""

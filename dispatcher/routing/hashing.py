"""The hash that picks a destination (dispatch.c: ds_get_hash)."""

_MASK = 0xFFFFFFFF


def hash_of(*keys: bytes) -> int:
    """The proxy's hash of one or two keys: 1 to 2**32 - 1, never 0.

    Each key is read in words of four bytes, the rest as one shorter word. Bytes count as signed, as they do
    on x86: recorded selections with UTF-8 in the Call-ID and in `hash_pvar` show it.
    """
    total = 0
    for key in keys:
        whole = len(key) - len(key) % 4
        for start in range(0, whole, 4):
            total += _mixed(_word(key[start : start + 4]))
        total += _mixed(_word(key[whole:]))
    total &= _MASK
    total = (total + (total >> 11) + (total >> 13) + (total >> 23)) & _MASK
    return total or 1


def _word(part: bytes) -> int:
    word = 0
    for byte in part:
        word = (word << 8) + (byte - 256 if byte > 127 else byte)
    return word & _MASK


def _mixed(word: int) -> int:
    return word ^ (word >> 3)

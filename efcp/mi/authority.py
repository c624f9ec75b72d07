"""Which certificates MI over https is trusted by: the system's authorities, or those of one's own."""

import functools
import re
import ssl

MAX_PEM = 65_536
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def certificates_in(text: str) -> str:
    """The PEM certificates in `text`, without what stands around them.

    Raises ValueError, with a sentence for people, where there is none, one can't be read, or there is a key.
    """
    if "PRIVATE KEY-----" in text:
        raise ValueError(
            "This holds a private key. Only certificates belong here: the key stays where it is."
        )
    found = _CERTIFICATE.findall(text)
    if not found:
        raise ValueError(
            "There is no PEM certificate in it, from -----BEGIN CERTIFICATE----- to its END line."
        )
    pem = "\n".join(found) + "\n"
    tls_context(pem)
    return pem


@functools.lru_cache(maxsize=256)
def tls_context(authority: str) -> ssl.SSLContext:
    """How a server is verified: by the PEM certificates in `authority` alone, or the system's where empty.

    Raises ValueError, with a sentence for people, where they can't be read.
    """
    try:
        return ssl.create_default_context(cadata=authority or None)
    except (ssl.SSLError, ValueError, TypeError) as error:
        reason = getattr(error, "reason", None) or "it is not ASCII"
        raise ValueError(
            f"The certificate can't be read ({str(reason).replace('_', ' ').lower()})."
        ) from None

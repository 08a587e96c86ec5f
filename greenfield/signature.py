"""The signature of webhook events: HMAC-SHA256 over the raw body."""
import hashlib
import hmac
from collections.abc import Iterable


def sign(secret: str, body: bytes) -> str:
    """Return what the server puts in the header `BTCPay-Sig` for a body.

    :param str secret: the secret of the webhook
    :param bytes body: the body, as it is sent
    """
    return f'sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}'


def is_signed(body: bytes, signature: str | None, secrets: Iterable[str | None]) -> bool:
    """Check the signature of an event, in constant time.

    :param bytes body: the body as received, never one written anew
    :param str signature: the value of the header
    :param Iterable[str] secrets: the secrets that are good now; what was queued before a secret was
                                  renewed comes signed with the old one
    :return: whether one of them signed the body; without a secret, none did
    """
    given = (signature or '').encode(errors='replace')
    # All are compared, so that it takes as long whichever of them fits.
    matches = [
        hmac.compare_digest(sign(secret, body).encode(), given) for secret in secrets if secret
    ]
    return any(matches)

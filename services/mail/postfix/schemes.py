"""How a password is written down, as Dovecot, Cyrus SASL and crypt(3) read it."""

from enum import StrEnum

from argon2 import PasswordHasher
from passlib.hash import sha512_crypt

from services.errors import BadArgument
from services.language import tr

# A mail program logs in every few minutes: this is 50 ms of a core each time.
_ROUNDS = 100_000
# RFC 9106's second recommendation, with the one lane that libsodium, and so Dovecot, writes.
_ARGON2ID = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=1)


class Scheme(StrEnum):
    """A way to write a password down, named as Dovecot names it."""

    PLAIN = "plain"  # what Cyrus SASL's own SQL plug-in compares with
    SHA512_CRYPT = "sha512-crypt"
    ARGON2ID = "argon2id"


def written(password: str, scheme: Scheme, *, prefix: bool) -> str:
    """Return what to store; ``prefix`` puts the scheme's name in front, as {SHA512-CRYPT}.

    Raises BadArgument for a password that would not be read back as it is.
    """
    match scheme:
        case Scheme.PLAIN:
            if password.startswith("{") and not prefix:  # Dovecot takes that for a scheme
                raise BadArgument(
                    tr(
                        "Where passwords are kept as they are, none can begin with {brace}. "
                        "Nothing was changed; take another.",
                        brace="{",
                    )
                )
            text = password
        case Scheme.SHA512_CRYPT:
            text = sha512_crypt.using(rounds=_ROUNDS).hash(password)
        case Scheme.ARGON2ID:
            text = _ARGON2ID.hash(password)
    return f"{{{scheme.upper()}}}{text}" if prefix else text

"""The mail servers that the drill plays on: the same as those of the tests of tests/mail."""

from tests.mail.conftest import postfix, private_postfix

__all__ = ["postfix", "private_postfix"]

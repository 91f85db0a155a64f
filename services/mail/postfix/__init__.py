"""A Postfix server behind the port, asked with Postfix's own commands."""

from services.mail.postfix.checks import Check
from services.mail.postfix.config import PostfixConfig
from services.mail.postfix.server import PostfixServer

__all__ = ["Check", "PostfixConfig", "PostfixServer"]

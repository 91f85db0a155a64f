"""The built-in mail server: real SMTP in (with AUTH), a durable spool, real delivery."""

from services.mail.embedded.config import EmbeddedConfig
from services.mail.embedded.delivery import DeliveryCounts
from services.mail.embedded.log import Delivery, Outcome
from services.mail.embedded.server import EmbeddedServer, Mail

__all__ = ["Delivery", "DeliveryCounts", "EmbeddedConfig", "EmbeddedServer", "Mail", "Outcome"]

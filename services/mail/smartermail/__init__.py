"""SmarterMail, over its REST API."""

from services.mail.smartermail.config import SmarterMailConfig
from services.mail.smartermail.server import CAPABILITIES, Probe, SmarterMailServer

__all__ = ["CAPABILITIES", "Probe", "SmarterMailConfig", "SmarterMailServer"]

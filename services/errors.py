"""Every failure a person can meet. The text of each is a sentence to show them.

SpoolwardenError
├── Refused            not allowed: a role, a rule or a protected name says so
├── BadArgument        what was asked cannot be understood or does not exist
├── Expired            the button or form is too old, or was used before
├── MailServerError
│   ├── ServerDown     the mail server could not be reached, or answered nonsense
│   └── NotCapable     this mail server cannot do that
├── StoreError         the bot's own database could not be read or written
└── ConfigError        the configuration is wrong
"""


class SpoolwardenError(Exception):
    """A failure told in one sentence: what failed, what was and was not done, what to do now."""

    @property
    def sentence(self) -> str:
        """The text to show to the person who asked."""
        return str(self)


class Refused(SpoolwardenError):
    """The person, or what they aim at, is outside what the rules allow."""


class BadArgument(SpoolwardenError):
    """What was asked cannot be understood, or names nothing that exists."""


class Expired(SpoolwardenError):
    """The button or form is too old, was used before, or belongs elsewhere."""


class MailServerError(SpoolwardenError):
    """The mail server did not do what was asked."""


class ServerDown(MailServerError):
    """The mail server could not be reached, or its answer made no sense."""


class NotCapable(MailServerError):
    """This mail server has no way to do that."""


class StoreError(SpoolwardenError):
    """The bot's own database could not be read or written."""


class ConfigError(SpoolwardenError):
    """The configuration is wrong; the text says where."""

"""The embedded server passes the suite that all mail servers pass."""

import pytest

from .conformance import MailServerConformance, ServerUnderTest
from .harness import EmbeddedHarness


class TestEmbedded(MailServerConformance):
    @pytest.fixture
    def mail(self, embedded: EmbeddedHarness) -> ServerUnderTest:
        return embedded

"""Postfix passes the suite that all mail servers pass."""

import pytest

from .conformance import MailServerConformance, ServerUnderTest
from .postfix_harness import PostfixHarness


class TestPostfix(MailServerConformance):
    @pytest.fixture
    def mail(self, postfix: PostfixHarness) -> ServerUnderTest:
        return postfix

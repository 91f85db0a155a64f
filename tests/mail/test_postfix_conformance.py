"""Postfix passes the suite that all mail servers pass, here and on another machine."""

import pytest

from .conformance import MailServerConformance, ServerUnderTest
from .postfix_harness import PostfixHarness


class TestPostfix(MailServerConformance):
    @pytest.fixture
    def mail(self, postfix: PostfixHarness) -> ServerUnderTest:
        return postfix


class TestPostfixOverSsh(MailServerConformance):
    @pytest.fixture
    def mail(self, far_postfix: PostfixHarness) -> ServerUnderTest:
        return far_postfix

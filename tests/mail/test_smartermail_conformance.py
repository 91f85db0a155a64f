"""SmarterMail passes the suite that all mail servers pass, as far as its API reaches.

What its API cannot do is listed here: those tests must fail, with NotCapable and nothing
else, so that a capability that comes to be has its tests passed as well.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.errors import NotCapable
from services.mail.port import Capability
from services.mail.smartermail import CAPABILITIES

from .conformance import MailServerConformance, ServerUnderTest
from .smartermail_harness import SmarterMailHarness

_NEEDS = {
    "test_counts_follow_each_queue": CAPABILITIES.hold,
    "test_top_queued_ranks_senders_by_what_waits": CAPABILITIES.hold,
    "test_what_senders_have_in_the_spool_is_told_of_all_at_once": CAPABILITIES.hold,
    "test_search_by_each_field": CAPABILITIES.quarantine,
    "test_held_mail_stays_until_released": CAPABILITIES.hold,
    "test_holding_twice_changes_nothing": CAPABILITIES.hold,
    "test_only_held_mail_is_released": CAPABILITIES.quarantine,
    "test_quarantined_mail_is_not_held": CAPABILITIES.quarantine,
    "test_restored_mail_is_back_where_it_was": CAPABILITIES.hold,
    "test_moving_between_folders_keeps_where_it_came_from": CAPABILITIES.hold,
    "test_moving_and_restoring_twice_changes_nothing": CAPABILITIES.quarantine,
    "test_quarantined_mail_is_not_delivered": CAPABILITIES.quarantine,
    "test_the_bytes_survive_hold_move_and_restore": CAPABILITIES.preview,
    "test_held_and_quarantined_mail_is_not_let_go_by_trying_again": CAPABILITIES.hold,
    "test_what_was_let_go_is_tried_again_at_once": CAPABILITIES.hold,
    "test_deleted_mail_is_gone_for_good": CAPABILITIES.hold,
    "test_what_is_gone_is_said_to_be_gone_and_the_rest_is_done": CAPABILITIES.hold,
    "test_an_act_tells_how_many_are_settled": CAPABILITIES.hold,
    "test_the_spool_is_the_same_after_a_restart": CAPABILITIES.hold,
    "test_a_preview_shows_headers_text_and_file_names": CAPABILITIES.preview,
    "test_a_preview_of_html_runs_and_shows_no_markup": CAPABILITIES.preview,
    "test_previews_stay_bounded": CAPABILITIES.preview,
}


@pytest.fixture
async def smartermail(tmp_path: Path) -> AsyncIterator[SmarterMailHarness]:
    harness = SmarterMailHarness(tmp_path)
    await harness.start()
    yield harness
    await harness.stop()


class TestSmarterMail(MailServerConformance):
    @pytest.fixture(autouse=True)
    def _what_it_cannot_do(self, request: pytest.FixtureRequest) -> None:
        needs: Capability | None = _NEEDS.get(request.node.originalname)
        if needs is not None:
            assert not needs.able
            request.applymarker(pytest.mark.xfail(raises=NotCapable, strict=True, reason=needs.why))

    @pytest.fixture
    def mail(self, smartermail: SmarterMailHarness) -> ServerUnderTest:
        return smartermail

"""What check tells of SmarterMail; and that the local one is as strict."""

from ipaddress import ip_network

import aiohttp

from ..harness import ANN
from ..smartermail_harness import SmarterMailHarness
from .asking import AWAY, COUNTS, LOG, SYS


async def test_the_probes_tell_which_way_each_call_is_taken(
    mail: SmarterMailHarness, ann: str
) -> None:
    mail.there.build.spool_named_by = "spoolName"
    mail.there.build.lists_blocks_by = "short"
    await mail.submit(ann, [AWAY], "one")
    probes = await mail.server.probes()
    assert all(probe.ok for probe in probes)
    said = [probe.says for probe in probes]
    assert "spool list: 1 messages listed" in said
    assert "SMTP log: 1 messages accepted today" in said
    assert "naming a spool: by spoolName" in said
    assert "reading the block list: by searchParams" in said


async def test_the_probes_go_on_after_one_that_fails(mail: SmarterMailHarness) -> None:
    mail.there.faults.html |= {LOG}
    assert [probe.ok for probe in await mail.server.probes()][:3] == [True, False, True]


async def test_its_own_addresses_are_those_of_its_host_and_those_configured(
    mail: SmarterMailHarness,
) -> None:
    await mail.connect(own_networks=(ip_network("203.0.113.0/28"),))
    assert await mail.server.own_networks() == (
        ip_network("127.0.0.1"),
        ip_network("203.0.113.0/28"),
    )


async def test_the_local_server_is_strict(mail: SmarterMailHarness) -> None:
    tokens = mail.there.state
    admin, domain = tokens.token("sysadmin"), tokens.token(mail.domain)
    search = {"start": "2026-03-02", "end": "2026-03-02", "type": "smtpLog", "related": False}
    expected: list[tuple[str, str, str, object, int]] = [
        ("GET", COUNTS, admin, None, 200),
        ("GET", COUNTS, "token-of-nobody", None, 401),
        ("GET", COUNTS, domain, None, 403),
        ("POST", COUNTS, admin, {}, 405),
        ("POST", "settings/domain/get-user", admin, {"email": ANN}, 403),
        ("POST", f"{SYS}/move-messages", admin, {}, 404),
        ("POST", LOG, admin, {**search, "search": ""}, 200),
        ("POST", LOG, admin, {**search, "search": "", "extra": 1}, 400),
        ("POST", LOG, admin, search, 400),
        ("POST", LOG, admin, {**search, "search": 1}, 400),
        ("POST", LOG, admin, "no object", 400),
    ]
    async with aiohttp.ClientSession() as http:
        for method, name, token, body, status in expected:
            async with http.request(
                method,
                f"{mail.there.web.url}/api/v1/{name}",
                json=body,
                headers={"Authorization": f"Bearer {token}"},
            ) as answer:
                assert answer.status == status, (name, body)
                assert (await answer.json())["success"] is (status == 200)

"""The syslog export, read back by a small parser of RFC 5424 written for this test alone."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.audit import NO_KEYS, Keyring, Line, Phase, as_csv, as_syslog
from services.audit.entries import following
from services.audit.export import exported
from services.people import Actor

from ..mail.harness import START
from .test_audit_chain import KEYS

_HEADER = re.compile(
    r"<(?P<pri>[1-9][0-9]{0,2})>(?P<version>[1-9][0-9]{0,2}) "
    r"(?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z) "
    r"(?P<host>[!-~]{1,255}) (?P<app>[!-~]{1,48}) (?P<proc>[!-~]{1,128}) (?P<msgid>[!-~]{1,32}) "
)


@dataclass
class Syslog:
    """What a receiver makes of a line."""

    facility: int
    severity: int
    at: datetime
    host: str
    app: str
    msgid: str
    sd_id: str
    params: dict[str, str]
    message: str


def _parse(line: str) -> Syslog:
    header = _HEADER.match(line)
    assert header is not None, line
    assert header["version"] == "1"
    rest = line[header.end() :]
    assert rest[0] == "["
    sd_id, params, at = "", {}, 1
    while rest[at] not in " ]":
        sd_id += rest[at]
        at += 1
    while rest[at] == " ":
        end = rest.index("=", at)
        name = rest[at + 1 : end]
        assert re.fullmatch(r"[!#-<>-\\^-~]{1,32}", name), name
        assert rest[end + 1] == '"'
        value, at = "", end + 2
        while rest[at] != '"':
            assert rest[at] != "]", "an unescaped ]"
            if rest[at] == "\\" and rest[at + 1] in '"\\]':
                at += 1
            value += rest[at]
            at += 1
        assert name not in params
        params[name], at = value, at + 1
    assert rest[at : at + 2] == "] "
    facility, severity = divmod(int(header["pri"]), 8)
    moment = datetime.fromisoformat(header["at"])
    return Syslog(
        facility,
        severity,
        moment,
        header["host"],
        header["app"],
        header["msgid"],
        sd_id,
        params,
        rest[at + 2 :],
    )


def _unescaped(text: str) -> str:
    """Take back what as_syslog writes for what is not printable."""
    return re.sub(
        r"\\(?:\\|u([0-9a-f]{4})|U([0-9a-f]{8}))",
        lambda m: chr(int(m[1] or m[2], 16)) if m[1] or m[2] else "\\",
        text,
    )


_texts = st.text(st.characters(blacklist_categories=["Cs"]), max_size=30) | st.sampled_from(
    ['x"] [evil@1 a="b"]', "a\r\n<1>1 forged", "\\u000a", "\\", '\\"]', "\u202egnp.exe", "\ufeff"]
)


@settings(max_examples=300)
@given(
    phase=st.sampled_from(Phase),
    words=st.tuples(*[_texts] * 5),
    incident=st.none() | st.integers(0, 2**40),
    keys=st.sampled_from([NO_KEYS, Keyring(KEYS[0])]),
)
def test_every_field_of_a_hostile_entry_is_read_back(
    phase: Phase, words: tuple[str, ...], incident: int | None, keys: Keyring
) -> None:
    action, user, name, subject, why = words
    line = Line(
        phase, action, Actor("slack", user, name), "mail", subject, incident, None, {"why": why}
    )
    (entry,) = following(None, line, START + timedelta(microseconds=7), keys)
    text = as_syslog(entry, "mx1.example.test")
    assert text.isprintable() or text.replace("\ufeff", "", 1).isprintable()
    read = _parse(text)
    assert (read.facility, read.app, read.host) == (13, "spoolwarden", "mx1.example.test")
    assert (read.msgid, read.sd_id) == (phase.value, "audit@32473")
    assert read.at == entry.at
    expected = {n: str(v) for n, v in exported(entry).items() if v is not None}
    assert {n: _unescaped(v) for n, v in read.params.items()} == expected
    assert read.message.startswith(f"\ufeff{phase.value} ")


@pytest.mark.parametrize(
    ("phase", "severity"), [(Phase.REFUSED, 4), (Phase.RESULT, 5), (Phase.READ, 6)]
)
def test_a_refusal_is_a_warning(phase: Phase, severity: int) -> None:
    (entry,) = following(None, Line(phase, "a", Actor("slack", "U1", "")), START, NO_KEYS)
    assert _parse(as_syslog(entry, "h")).severity == severity


@pytest.mark.parametrize(("name", "shown"), [("", "-"), ("mx 1\n", "mx1"), ("ü", "-")])
def test_a_host_name_that_the_rfc_does_not_allow_is_made_to_fit(name: str, shown: str) -> None:
    (entry,) = following(None, Line(Phase.NOTE, "a", Actor("slack", "U1", "")), START, NO_KEYS)
    assert _parse(as_syslog(entry, name)).host == shown
    assert _parse(as_syslog(entry, "a" * 300)).host == "a" * 255


def test_sealed_and_other_entries_have_the_same_columns_in_csv() -> None:
    line = Line(Phase.NOTE, "a", Actor("slack", "U1", ""))
    (plain,) = following(None, line, START, NO_KEYS)
    (sealed,) = following(None, line, START, Keyring(KEYS[0]))
    assert as_csv(plain, header=True) == as_csv(sealed, header=True)
    assert as_csv(plain, header=True).endswith(",prev_hash,hash,key_id,mac")
    assert as_csv(plain).endswith(f"{plain.hash},,")
    assert as_csv(sealed).endswith(f"{sealed.hash},{KEYS[0].id},{sealed.mac}")

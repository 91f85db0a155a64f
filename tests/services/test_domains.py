"""The domain of an address: one form to compare, and no other domain that looks like it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.mail.domains import as_domain, domain_of, is_in, is_of

_MINE = frozenset({"example.com", "xn--bcher-kva.example"})


@pytest.mark.parametrize(
    "address",
    [
        "anna@example.com",
        "Anna@EXAMPLE.Com",
        "a@b@example.com",
        '"somebody@elsewhere.test"@example.com',
        "@example.com",
        "x@bücher.example",
        "x@BÜCHER.example",
        "x@bu\u0308cher.example",
        "x@xn--bcher-kva.example",
        "x@XN--BCHER-KVA.EXAMPLE",
    ],
)
def test_an_address_is_of_its_domain_however_it_is_written(address: str) -> None:
    assert is_of(address, _MINE)
    assert is_in(address, ["Example.com", "bücher.example"])


@pytest.mark.parametrize(
    "address",
    [
        "x@evil-example.com",
        "x@evilexample.com",
        "x@sub.example.com",
        "x@example.com.evil.test",
        "x@com",
        "x@example.co",
        "x@example.com.",
        "x@example.com ",
        "x@ex\u0430mple.com",
        "x@bucher.example",
        "example.com",
        "root",
        "x@",
        "@",
        "",
        "x@example.com\x00",
        "x@" + "ü" * 100_000,
    ],
)
def test_what_only_looks_like_it_is_another_domain(address: str) -> None:
    assert not is_of(address, _MINE)
    assert not is_in(address, _MINE)
    assert not is_of(address, frozenset())
    assert is_of(address, None)


def test_what_folds_to_another_domain_is_not_that_domain() -> None:
    assert as_domain("straße.de") == "xn--strae-oqa.de"
    assert not is_of("x@straße.de", frozenset({"strasse.de"}))
    assert not is_of("x@strasse.de", frozenset({as_domain("straße.de")}))


@pytest.mark.parametrize(
    ("written", "compared"),
    [
        ("Example.COM", "example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("localhost", "localhost"),
        ("_dmarc.example.com", "_dmarc.example.com"),
    ],
)
def test_a_domain_is_read_into_the_form_it_is_compared_in(written: str, compared: str) -> None:
    assert as_domain(written) == compared


@pytest.mark.parametrize(
    "written",
    ["", " ", "@example.com", "a@example.com", "*.example.com", ".example.com", "example.com.",
     "example..com", "-example.com", "exam ple.com", "a" * 64 + ".com", "a." * 130 + "com", "☃☃."],
)  # fmt: skip
def test_what_is_no_domain_is_not_taken_for_one(written: str) -> None:
    with pytest.raises(ValueError, match="not a domain"):
        as_domain(written)


@given(st.text(max_size=300))
def test_any_text_has_a_domain_or_none(text: str) -> None:
    domain = domain_of(text)
    assert domain.isascii()
    assert domain == domain.lower()
    # Converting it once more changes nothing, so both forms are compared as one.
    assert domain_of(f"x@{domain}") == domain or "@" in domain

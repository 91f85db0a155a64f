"""Ten thousand texts that want to be more than text, and cards made of them."""

import unicodedata
from collections.abc import Iterator
from random import Random

from bot.elements import (
    Bar,
    Bars,
    Bold,
    Button,
    Card,
    Code,
    Paragraph,
    Points,
    Pre,
    Row,
    Small,
    say,
)

from .hostile import ATTACKS

TEXTS_A_CARD = 5
CARDS = 2_000
# Whatever begins, ends or hides markup anywhere, and what cannot be seen.
_MARKS = "<>@#*_~`|\\[](){}:&\"'!/-+.=$\n\r\t\0\x1b\u202e\u2066\u200b\u2028\ufeff\ud800"


def hostile_texts(seed: int) -> Iterator[str]:
    """Yield texts without end: attacks, marks, anything Unicode has, and all of it together."""
    random = Random(seed)  # noqa: S311 - nothing is kept secret by it

    def any_char() -> str:
        char = chr(random.randrange(0x11_0000))
        return char if unicodedata.category(char) != "Cn" else random.choice(_MARKS)

    while True:
        parts = []
        for _ in range(random.randint(1, 4)):
            match random.randrange(3):
                case 0:
                    parts.append(random.choice(ATTACKS)[:400])
                case 1:
                    parts.append("".join(random.choices(_MARKS, k=random.randint(1, 12))))
                case _:
                    parts.append("".join(any_char() for _ in range(random.randint(0, 8))))
        yield "".join(parts)


def hostile_cards(seed: int, number: int = CARDS) -> Iterator[Card]:
    """Yield cards whose sender, subject, header, body and button label are hostile."""
    texts = hostile_texts(seed)
    for index in range(number):
        sender, subject, header, body, label = (next(texts) for _ in range(TEXTS_A_CARD))
        yield Card(
            f"🚨 {sender} is sending spam",
            (
                Paragraph(say("Open: ", Bold(sender), " wrote ", Code(subject))),
                Points((say(subject), say(header))),
                Bars(subject, (Bar(sender, 3, 0.5),)),
                Row(
                    say(f"{sender} → {header}\n{subject}"), Button(f"r{index}", label, f"i{index}")
                ),
                Pre(body),
                Small(say(header)),
            ),
            (Button("first", label, f"j{index}"),),
            fallback=f"{sender}: {subject}",
        )

"""How far an act over many messages has come."""

from services.mail.port import Tell


class Progress:
    """How many of an act's messages are settled: it only goes up, and never past the total."""

    def __init__(self) -> None:
        self.settled = 0
        self.total = 0

    def expect(self, number: int) -> None:
        """Say that so many messages more are to be acted on."""
        self.total += number

    def part(self) -> Tell:
        """Return who is to be told of the next part: one call of the mail server."""
        before = self.settled

        def tell(number: int) -> None:
            self.settled = max(self.settled, min(before + number, self.total))

        return tell

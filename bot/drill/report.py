"""What a drill found, as JSON."""

import json
from dataclasses import asdict, dataclass, field


@dataclass(slots=True)
class Feature:
    """One feature: was it asked for in chat, did the chat say done, did the server agree?"""

    name: str
    asked: bool = False
    done: bool = False
    verified: bool = False
    seconds: float = 0.0
    evidence: str = ""  # what the mail server (or the log) itself said
    problem: str = ""
    skipped: str = ""  # why there was nothing to try

    @property
    def ok(self) -> bool:
        """Whether all three hold, or there was nothing to try."""
        found = bool(self.skipped) or (self.asked and self.done and self.verified)
        return found and not self.problem


@dataclass(slots=True)
class Report:
    """The whole drill."""

    seed: int | None = None  # of the stage's people and letters
    chats: tuple[str, ...] = ()
    server: str | None = None  # the configured one that was played on
    account: str | None = None  # the test account there
    ok: bool = False
    seconds: float = 0.0
    first_spam_to_alert_seconds: float | None = None
    features: list[Feature] = field(default_factory=list)
    audit: str = ""
    problem: str = ""  # what ended the drill before its time

    def close(self, seconds: float) -> None:
        """Set the verdict."""
        self.seconds = round(seconds, 2)
        self.ok = not self.problem and bool(self.features) and all(f.ok for f in self.features)

    def as_json(self) -> str:
        """Return the report as indented JSON."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False)

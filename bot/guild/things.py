"""What a guild holds: channels and threads, messages, files."""

from collections import OrderedDict
from dataclasses import dataclass, field

from bot.guild.checks.messages import Draft, Flag
from bot.guild.permissions import NO_PERMISSION, Permission
from bot.local.values import JsonObject

TEXT, THREAD = 0, 11  # "Channel Types": GUILD_TEXT, PUBLIC_THREAD
DEFAULT, REPLY, COMMAND, PINNED, THREAD_STARTED = 0, 19, 20, 6, 21  # "Message Types"


@dataclass(slots=True)
class StoredRole:
    """A role of the guild."""

    id: str
    name: str
    permissions: Permission
    position: int
    color: int = 0
    managed: bool = False


@dataclass(slots=True)
class Overwrite:
    """A channel's permission overwrite, of a role or a member."""

    id: str
    is_member: bool
    allow: Permission = NO_PERMISSION
    deny: Permission = NO_PERMISSION


@dataclass(slots=True)
class StoredFile:
    """An attachment. ``key`` keeps its address from being guessed."""

    id: str
    filename: str
    data: bytes
    content_type: str
    channel: str
    key: str
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """The interaction a message answers. ``interacted`` is the message a component stood in."""

    id: str
    kind: int
    user: str
    name: str = ""
    interacted: str | None = None
    trigger: "Origin | None" = None


@dataclass(slots=True)
class Message:
    """A message, in a channel, a thread, or shown to one member only."""

    id: str
    channel: str
    author: str
    timestamp: float
    kind: int = DEFAULT
    content: str = ""
    embeds: list[JsonObject] = field(default_factory=list)
    components: list[JsonObject] = field(default_factory=list)
    flags: Flag = Flag(0)  # noqa: RUF009 (an immutable value)
    files: list[StoredFile] = field(default_factory=list)
    mentions: tuple[str, ...] = ()
    mention_roles: tuple[str, ...] = ()
    mention_everyone: bool = False
    edited: float | None = None
    pinned: float | None = None
    tts: bool = False
    nonce: str | int | None = None
    only_for: str | None = None
    origin: Origin | None = None
    replies_to: str | None = None

    @property
    def loading(self) -> bool:
        """Whether it stands for an answer still to come."""
        return bool(self.flags & Flag.LOADING)

    def as_draft(self) -> Draft:
        """Return it as what an edit starts from."""
        kept = tuple(f.id for f in self.files)
        return Draft(self.content, self.embeds, self.components, self.flags, kept, ())


@dataclass(slots=True)
class Channel:
    """A text channel, or a thread of one."""

    id: str
    name: str
    kind: int
    position: int = 0
    topic: str = ""
    overwrites: dict[str, Overwrite] = field(default_factory=dict)
    messages: "OrderedDict[str, Message]" = field(default_factory=OrderedDict)
    last_message: str | None = None
    last_pin: float | None = None
    # A thread's
    parent: str | None = None
    owner: str = ""
    archived: bool = False
    locked: bool = False
    archived_at: float = 0.0
    created_at: float = 0.0
    auto_archive: int = 1440
    slow: int = 0
    sent: int = 0
    members: set[str] = field(default_factory=set)

    @property
    def is_thread(self) -> bool:
        """Whether it is a thread."""
        return self.kind == THREAD

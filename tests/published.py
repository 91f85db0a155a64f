"""The chats' own descriptions of their APIs, which the project does not ship."""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any


@cache
def published(name: str) -> dict[str, Any] | None:
    """Return the published description in a file of this name, None when it isn't at hand.

    Looked for in the folder SPOOLWARDEN_SPECS, then in ``../shared/specs`` beside the
    repository. It is read once: nobody may change it.
    """
    named = os.environ.get("SPOOLWARDEN_SPECS")
    beside = Path(__file__).resolve().parents[2] / "shared" / "specs"
    file = (Path(named) if named else beside) / name
    if not file.is_file():
        return None
    loaded: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return loaded

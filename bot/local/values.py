"""The JSON both local servers speak."""

from typing import Any, TypeAlias

JsonObject: TypeAlias = dict[str, Any]
"""A JSON object as it travels on the wire. What an app posts is kept in this form because a
chat must give back exactly what was posted."""

"""Which release of Spoolwarden this is."""

from importlib.metadata import PackageNotFoundError, version


def release() -> str:
    """Return the release's number, "unknown" where it runs without having been installed."""
    try:
        return version("spoolwarden")
    except PackageNotFoundError:
        return "unknown"

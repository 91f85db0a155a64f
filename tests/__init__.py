"""The tests. A package, so that tests/bot is not taken for bot."""

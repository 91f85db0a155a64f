"""A local, strict, Discord-compatible guild for the demo, the drill and the tests."""

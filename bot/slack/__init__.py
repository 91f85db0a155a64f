"""Slack: cards as Block Kit, and listeners made from the command table."""

"""Spoolwarden in Discord."""

"""The fire drill: every feature pressed as a person would, and verified on the mail server."""

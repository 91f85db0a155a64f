"""The demo: a mail server with its traffic, on this machine, to try everything on."""

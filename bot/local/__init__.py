"""What the local workspace and the local guild share: a clock, a feed of events, a page's guard."""

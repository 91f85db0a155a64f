"""Block Kit's rules, as the public reference pages state them, one table entry a rule."""

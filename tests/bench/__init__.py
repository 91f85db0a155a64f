"""How fast the Postfix module is, beside Postfix's own programs: ``make bench``."""

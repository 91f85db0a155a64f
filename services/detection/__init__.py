"""Submissions in, incidents out: what is usual, what is not, and an incident's life."""

"""The audit log: append-only, each entry holding the hash of the one before.

An entry's hash is SHA-256 over the hash before it and the entry's own fields as
canonical JSON (sorted keys, no spaces, UTF-8). Changing, dropping, adding or
swapping entries breaks the chain at that place, and verify() names it. Two things
the chain alone cannot show:

    who wrote it     whoever can write the database can make a whole new chain. With a
                     key, each entry is sealed (HMAC) with it: keys.py
    that it ends     cutting off the end leaves a whole chain. Its head is posted to the
                     chats from time to time, where the database does not reach: keeper.py

Old entries can be moved into files; a checkpoint, itself an entry, vouches for them.
"""

from services.audit.chain import Anchor, Chain, Verdict, Wrong
from services.audit.entries import GENESIS, Line, Phase, Record, entry_hash, storable
from services.audit.export import as_csv, as_jsonl, as_syslog
from services.audit.keys import NO_KEYS, Key, Keyring, keyring
from services.audit.log import AuditLog

__all__ = [
    "GENESIS",
    "NO_KEYS",
    "Anchor",
    "AuditLog",
    "Chain",
    "Key",
    "Keyring",
    "Line",
    "Phase",
    "Record",
    "Verdict",
    "Wrong",
    "as_csv",
    "as_jsonl",
    "as_syslog",
    "entry_hash",
    "keyring",
    "storable",
]

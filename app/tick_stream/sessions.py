"""Whose a bridge's session is."""

import zlib


def mark_of_namespace(name: str) -> bytes:
    """The four bytes that every session of a namespace begins with; the bridge has the same."""
    return zlib.crc32(name.encode()).to_bytes(4, "big")

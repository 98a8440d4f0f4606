"""Text from outside, in a form that every database takes."""

from gateway_core.encoding import whole


def storable(text: str) -> str:
    """Without NUL, which PostgreSQL does not store, and without halves of characters."""
    return whole(text).replace("\0", "")

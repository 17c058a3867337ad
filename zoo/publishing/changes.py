"""What a checkpoint's card says of how it came to be, and of what changed since it was first published."""

from __future__ import annotations

from datetime import UTC, datetime

from zoo.hub.card import section

CHANGES = "Changes"


def changes(card: str, weights: str, text: str | None) -> str:
    """The list of changes, newest first: the one of an older card and a line for what is published now.

    Args:
        card: that is replaced; empty: none is.
        weights: sha256 of the weights.
        text: what changed; None: published, or only its weights changed, or nothing did.
    """
    before = section(card, CHANGES)
    if text is None:
        newest = before.partition("\n")[0]
        if f"weights {weights[:8]}" in newest:
            return before
        text = "new weights" if before else "published"
    today = datetime.now(UTC).date().isoformat()
    return f"- {today}, weights {weights[:8]}: {' '.join(text.split())}\n{before}".strip()

"""Connected pieces found pixel by pixel: the reference of readers that label them."""

from collections.abc import Iterable


def pieces(pixels: Iterable[tuple[int, int]]) -> set[frozenset[tuple[int, int]]]:
    """The 8-connected pieces of a set of (row, column)."""
    left, found = set(pixels), set()
    while left:
        piece, edge = set(), {left.pop()}
        while edge:
            row, column = edge.pop()
            piece.add((row, column))
            near = {(row + dy, column + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            edge |= near
        found.add(frozenset(piece))
    return found

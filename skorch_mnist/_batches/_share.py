"""The share of each batch that one of several processes takes."""

from __future__ import annotations

from typing import NamedTuple


class Share(NamedTuple):
    """Neighboring rows of each batch, as many as the other processes take or one more or less."""

    rank: int
    n_processes: int

    def sizes(self, n_rows: int) -> list[int]:
        """Return how many of ``n_rows`` each process takes."""
        each, rest = divmod(n_rows, self.n_processes)
        return [each + (rank < rest) for rank in range(self.n_processes)]

    def rows(self, n_rows: int) -> slice:
        """Return the rows to read: the first if none is left, since a network needs an image."""
        sizes = self.sizes(n_rows)
        start = sum(sizes[: self.rank]) if sizes[self.rank] else 0
        return slice(start, start + max(1, sizes[self.rank]))

"""The share of each batch that one of several processes computes."""

from __future__ import annotations

from typing import NamedTuple


class Share(NamedTuple):
    """Consecutive rows of each batch; the shares of all processes differ by at most one row."""

    rank: int
    n_processes: int

    def sizes(self, n_rows: int) -> list[int]:
        """Return the number of rows for each process."""
        each, rest = divmod(n_rows, self.n_processes)
        return [each + (rank < rest) for rank in range(self.n_processes)]

    def rows(self, n_rows: int) -> slice:
        """Return the rows of this process; never none, because a network needs an image."""
        sizes = self.sizes(n_rows)
        start = sum(sizes[: self.rank]) if sizes[self.rank] else 0
        return slice(start, start + max(1, sizes[self.rank]))

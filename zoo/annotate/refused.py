"""How the server says no."""

from zoo.errors import ZooError


class RefusedError(ZooError):
    """A request that can't be granted as it is.

    Args:
        status: of HTTP, 4xx.
        sentence: what is wrong, and what to do.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status

"""How long values live, how long one waits for them, and what a factory may say about its own."""

import random
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Policy:
    """`ttl`: seconds a value is fresh. `grace`: seconds after that in which it is given if its factory fails or is
    slow. `soft_timeout`: seconds to wait for a factory while such a value is there. `hard_timeout`: seconds to wait
    at most, then TimeoutError. `eager`: share of `ttl` after which a hit starts a refresh in the background (None:
    never). `jitter`: `ttl` is shortened by a random share up to this, so that what was made together does not expire
    together. `immutable`: a key always has the same value (a hash of what it is made from), so nothing that this
    process cannot hear of could change it."""

    ttl: float = 300.0
    grace: float = 0.0
    soft_timeout: float | None = None
    hard_timeout: float | None = None
    eager: float | None = 0.85
    jitter: float = 0.1
    immutable: bool = False

    def __post_init__(self) -> None:
        if self.ttl <= 0 or self.grace < 0 or not 0 <= self.jitter < 1:
            raise ValueError(f"expected ttl > 0, grace >= 0 and jitter in [0, 1): {self}")

    def life(self, ttl: float | None) -> tuple[float, float]:
        """Seconds for which a value is fresh, and for which it can be given at all."""
        soft = (ttl or self.ttl) * (1 - self.jitter * random.random())
        return soft, soft + self.grace


@dataclass(frozen=True, slots=True)
class Made:
    """What a factory may return instead of the bare value: its own `ttl` (0: not to be kept) and further `tags`."""

    value: Any
    ttl: float | None = None
    tags: tuple[str, ...] = ()

"""What is fixed for the values of one namespace, and for one call."""

import random
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Options:
    """How long values live, and how long a caller waits for one.

    `ttl`: seconds a value is fresh. `grace`: seconds after that while it may be served if its factory fails or is
    slow. `soft_timeout`: seconds to wait for the factory while there is such a value. `hard_timeout`: seconds to wait
    at most, then TimeoutError. `eager`: share of `ttl` after which a hit starts a refresh in the background (None:
    never). `jitter`: `ttl` is shortened by a random share up to this, so that values made together do not expire
    together. Raises ValueError.
    """

    ttl: float = 300.0
    grace: float = 0.0
    soft_timeout: float | None = None
    hard_timeout: float | None = None
    eager: float | None = 0.85
    jitter: float = 0.1

    def __post_init__(self) -> None:
        if self.ttl <= 0 or self.grace < 0 or not 0 <= self.jitter < 1:
            raise ValueError(f"expected ttl > 0, grace >= 0 and jitter in [0, 1): {self}")

    def life(self, ttl: float | None = None) -> tuple[float, float, float]:
        """Of a value made now: its age, seconds it is fresh, seconds it can be served."""
        seconds = (ttl or self.ttl) * (1 - self.jitter * random.random())
        return 0.0, seconds, seconds + self.grace


@dataclass(frozen=True, slots=True)
class Namespace:
    """`kind`: the type of its values, as msgspec knows it. `version`: increased when the meaning of values changes.
    `immutable`: a key always has the same value, as a key that is a hash does, so no change elsewhere has to be heard.
    Raises ValueError for the name."""

    name: str
    version: int = 1
    kind: Any = Any
    immutable: bool = False

    def __post_init__(self) -> None:
        if not self.name or not self.name.replace("_", "").replace("-", "").isalnum() or not self.name.isascii():
            raise ValueError(f"{self.name!r}: a namespace is named by letters, digits, _ and -")

    @property
    def tag(self) -> str:
        """The tag of every entry in it, and the beginning of its keys."""
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True)
class FactoryResult:
    """What a factory may return instead of the bare value: its own `ttl` (0: not to be cached) and further `tags`."""

    value: Any
    ttl: float | None = None
    tags: tuple[str, ...] = ()

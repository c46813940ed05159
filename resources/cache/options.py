"""Options of a namespace and of a call, and the result of a factory."""

import random
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Options:
    """How long values are served, and how long a caller waits for one.

    - `ttl`: seconds a value is fresh.
    - `grace`: seconds after that during which it may be served if its factory fails or is slow.
    - `soft_timeout`: seconds to wait for the factory if there is a stale value.
    - `hard_timeout`: seconds to wait before TimeoutError is raised.
    - `eager`: share of `ttl` after which a hit starts a refresh in the background (None: never).
    - `jitter`: `ttl` is shortened by a random share up to this, so that values cached together do not expire together.

    Raises ValueError if a value is out of range.
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
        """Returns the age, the time fresh and the time served of a new value, in seconds."""
        seconds = (ttl or self.ttl) * (1 - self.jitter * random.random())
        return 0.0, seconds, seconds + self.grace


@dataclass(frozen=True, slots=True)
class Namespace:
    """A group of keys whose values have one type.

    `kind`: the type of the values, any that msgspec supports. `version`: increase it when the meaning of values
    changes. `immutable`: a key always has the same value (for example, because the key is a hash), so changes by
    other processes do not matter. Raises ValueError for an invalid name.
    """

    name: str
    version: int = 1
    kind: Any = Any
    immutable: bool = False

    def __post_init__(self) -> None:
        if not self.name or not self.name.replace("_", "").replace("-", "").isalnum() or not self.name.isascii():
            raise ValueError(f"{self.name!r}: expected a namespace of letters, digits, _ and -")

    @property
    def tag(self) -> str:
        """The tag of all its entries, and the prefix of its keys."""
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True)
class FactoryResult:
    """A value that a factory returns with its own `ttl` (0: do not cache it) and more `tags`."""

    value: Any
    ttl: float | None = None
    tags: tuple[str, ...] = ()

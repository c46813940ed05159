"""All that touches redis-py, which takes half a second to import: connections for threads and for asyncio."""

import asyncio
import functools
import socket
from abc import ABC, abstractmethod
from collections import deque
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.retry import Retry

from resources.cache.redis_errors import NoScript, Refused, Unreachable

MAX_CONNECTIONS = 16


class Disconnected(Unreachable):
    """The connection has ended, or none could be made."""


class RedisClient(ABC):
    """Asks over connections of its own: redis-py's pool takes as long as the answer does."""

    turn: Any  # entered by whoever asks, at most MAX_CONNECTIONS at once
    close: Any

    def __init__(self, pool: redis.ConnectionPool | redis.asyncio.ConnectionPool, **options: Any) -> None:
        # whatever the URL asks for: answers are bytes in the old form, and there is one try, not redis-py's ten in 4 s
        options |= {"protocol": 2, "decode_responses": False, "driver_info": None}
        self.connect = functools.partial(pool.connection_class, **{**pool.connection_kwargs, **options})
        self.connect()  # as a test: raises ValueError and TypeError for options that redis-py does not know
        self._idle: deque[Any] = deque()

    async def execute(self, *command: Any) -> Any:
        """The answer to a command. Raises Refused and Unreachable."""
        was_idle = bool(self._idle)
        connection = self._idle.pop() if was_idle else self.connect()
        try:
            answer = await self.ask(connection, *command)
        except Refused:
            self._idle.append(connection)
            raise
        except Disconnected:  # perhaps long ago, by a server that was restarted
            if not was_idle:
                raise
            self._idle.clear()
            return await self.execute(*command)
        self._idle.append(connection)
        return answer

    async def ask(self, connection: Any, *command: Any) -> Any:
        """The answer over one connection, which is of no more use unless Refused was raised."""
        try:
            return await self._answer(connection, command)
        except (RedisError, OSError) as error:
            raise translated(error) from error

    @abstractmethod
    async def _answer(self, connection: Any, command: tuple[Any, ...]) -> Any: ...


def translated(error: Exception) -> Exception:
    """The error with the server's own message, the first word of which redis-py removes."""
    code = getattr(error, "status_code", None)
    reason = f"it refuses: {code} {error}" if code else f"it cannot be reached: {error or type(error).__name__}"
    if isinstance(error, ResponseError):
        return (NoScript if isinstance(error, NoScriptError) else Refused)(f"it refuses: {code or ''} {error}")
    return (Disconnected if isinstance(error, NoConnection) and not code else Unreachable)(reason)


class _Turn:
    """Of threads; a semaphore of `threading` takes ten times as long."""

    def __init__(self) -> None:
        self._free: SimpleQueue[None] = SimpleQueue()
        for _ in range(MAX_CONNECTIONS):
            self._free.put(None)

    async def __aenter__(self) -> None:
        self._free.get()

    async def __aexit__(self, *_: Any) -> None:
        self._free.put(None)


class SyncClient(RedisClient):
    """For threads."""

    def __init__(self, url: str, timeout_s: float) -> None:
        timeouts = {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s}
        super().__init__(redis.ConnectionPool.from_url(url), **timeouts, retry=Retry(NoBackoff(), 0))
        self.turn = _Turn()

    async def _answer(self, connection: Any, command: tuple[Any, ...]) -> Any:
        is_new = connection._sock is None
        try:
            connection.send_command(*command)
        except NoConnection:
            if not is_new:
                raise
            connection.connect()  # a server with too many clients sends its refusal and hangs up: this reads it
        return connection.read_response()

    def close(self) -> None:
        while self._idle:
            self._idle.pop().disconnect()


def wait_without_limit(connection: Any) -> None:
    """Python bounds a wait by two calls, one that waits and one that reads; beside a busy thread each costs 5 ms."""
    connection._sock.settimeout(None)  # redis-py has no other way to it


def wake(connection: Any) -> None:
    """Ends the wait of another thread on a connection, by an error."""
    sock = connection and connection._sock
    if sock is not None:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


class AsyncClient(RedisClient):
    """For one event loop."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        # answers are waited for here: redis-py would start a task to bound the sending
        timeouts = {"socket_timeout": None, "socket_connect_timeout": timeout_s}
        super().__init__(redis.asyncio.ConnectionPool.from_url(url), **timeouts, retry=AsyncRetry(NoBackoff(), 0))
        self.turn = asyncio.Semaphore(MAX_CONNECTIONS)

    async def _answer(self, connection: Any, command: tuple[Any, ...]) -> Any:
        await asyncio.sleep(0)  # what else is ready in the loop goes first: that time is not Redis's
        async with asyncio.timeout(self._timeout_s):
            await connection.send_command(*command)
            return await connection.read_response()

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop().disconnect()

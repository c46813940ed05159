"""Connections to Redis for threads and for asyncio. redis-py takes half a second to import: import this if needed."""

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
    """The connection was closed, or could not be opened."""


class RedisClient(ABC):
    """Sends commands over its own connections: redis-py's pool takes as long as Redis itself."""

    semaphore: Any  # an async context manager that admits MAX_CONNECTIONS callers at once
    close: Any

    def __init__(self, pool: redis.ConnectionPool | redis.asyncio.ConnectionPool, **options: Any) -> None:
        # overrides the URL: RESP2, bytes, and a single attempt instead of redis-py's ten in 4 s
        options |= {"protocol": 2, "decode_responses": False, "driver_info": None}
        self.connect = functools.partial(pool.connection_class, **{**pool.connection_kwargs, **options})
        self.connect()  # raises ValueError or TypeError for options that redis-py does not know
        self._idle: deque[Any] = deque()

    async def execute(self, *command: Any) -> Any:
        """Returns the answer to a command. Raises Refused and Unreachable."""
        was_idle = bool(self._idle)
        connection = self._idle.pop() if was_idle else self.connect()
        try:
            answer = await self.execute_on(connection, *command)
        except Refused:
            self._idle.append(connection)
            raise
        except Disconnected:  # an idle connection may have been closed when the server restarted
            if not was_idle:
                raise
            self._idle.clear()
            return await self.execute(*command)
        self._idle.append(connection)
        return answer

    async def execute_on(self, connection: Any, *command: Any) -> Any:
        """Returns the answer over one connection. After any error but Refused the connection is unusable."""
        try:
            return await self._exchange(connection, command)
        except (RedisError, OSError) as error:
            raise convert_error(error) from error

    @abstractmethod
    async def _exchange(self, connection: Any, command: tuple[Any, ...]) -> Any: ...


def convert_error(error: Exception) -> Exception:
    """Converts an error of redis-py, with the full message of the server: redis-py removes the error code."""
    code = getattr(error, "status_code", None)
    reason = (
        f"it refuses the command: {code} {error}" if code else f"it cannot be reached: {error or type(error).__name__}"
    )
    if isinstance(error, ResponseError):
        return (NoScript if isinstance(error, NoScriptError) else Refused)(
            f"it refuses the command: {code or ''} {error}"
        )
    return (Disconnected if isinstance(error, NoConnection) and not code else Unreachable)(reason)


class _ThreadSemaphore:
    """A semaphore for threads, ten times as fast as `threading.Semaphore`."""

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
        self.semaphore = _ThreadSemaphore()

    async def _exchange(self, connection: Any, command: tuple[Any, ...]) -> Any:
        is_new = connection._sock is None
        try:
            connection.send_command(*command)
        except NoConnection:
            if not is_new:
                raise
            connection.connect()  # reads the error of a server with too many clients before it closes
        return connection.read_response()

    def close(self) -> None:
        while self._idle:
            self._idle.pop().disconnect()


def disable_read_timeout(connection: Any) -> None:
    """Removes the read timeout. With a timeout Python makes two calls, and with a busy thread each takes 5 ms."""
    connection._sock.settimeout(None)  # redis-py has no public method for this


def interrupt(connection: Any) -> None:
    """Makes a read of another thread on this connection fail at once."""
    sock = connection and connection._sock
    if sock is not None:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


class AsyncClient(RedisClient):
    """For one event loop."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        # the timeout is applied in _exchange: redis-py would start a task for each send
        timeouts = {"socket_timeout": None, "socket_connect_timeout": timeout_s}
        super().__init__(redis.asyncio.ConnectionPool.from_url(url), **timeouts, retry=AsyncRetry(NoBackoff(), 0))
        self.semaphore = asyncio.Semaphore(MAX_CONNECTIONS)

    async def _exchange(self, connection: Any, command: tuple[Any, ...]) -> Any:
        await asyncio.sleep(0)  # run ready tasks first, so that their time does not count as Redis's
        async with asyncio.timeout(self._timeout_s):
            await connection.send_command(*command)
            return await connection.read_response()

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop().disconnect()

"""All that touches redis-py, which takes half a second to import: only a cache that has a Redis does."""

import asyncio
import functools
import socket
import ssl
import struct
from abc import ABC, abstractmethod
from collections import deque
from contextlib import suppress
from typing import Any

import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.retry import Retry

from resources.cache.redis_level import Ended, Lost, NoScript, Refused


class _Client(ABC):
    """Asks over connections that it keeps: redis-py's own pool takes as long as the answer does."""

    def __init__(self, pool: redis.ConnectionPool | redis.asyncio.ConnectionPool, **options: Any) -> None:
        # whatever the address says: answers are bytes in the old form, and there is one try, not redis-py's ten in 4 s
        options |= {"protocol": 2, "decode_responses": False, "driver_info": None}
        self.connect = functools.partial(pool.connection_class, **{**pool.connection_kwargs, **options})
        self.connect()  # as a test: raises ValueError and TypeError for options that redis-py does not know
        self._idle: deque[Any] = deque()

    async def execute(self, *command: Any) -> Any:
        """The answer to a command. Raises Refused and Lost. A connection on which anything else was met is not used
        again."""
        try:
            connection, was_idle = self._idle.pop(), True
        except IndexError:
            connection, was_idle = self.connect(), False
        while True:
            try:
                answer = await self.ask(connection, *command)
            except Refused:
                self._idle.append(connection)
                raise
            except Ended:  # the server was started anew, or ended what was idle
                if not was_idle:
                    raise
                self._idle.clear()
                connection, was_idle = self.connect(), False
            else:
                self._idle.append(connection)
                return answer

    async def ask(self, connection: Any, *command: Any) -> Any:
        """The same on one connection: if that has ended no other is used."""
        try:
            return await self._answer(connection, command)
        except NoScriptError as error:
            raise NoScript(str(error)) from error
        except ResponseError as error:
            raise Refused(str(error)) from error
        except NoConnection as error:
            raise Ended(str(error)) from error
        except (RedisError, OSError) as error:
            raise Lost(str(error) or type(error).__name__) from error

    @abstractmethod
    async def _answer(self, connection: Any, command: tuple[Any, ...]) -> Any: ...


class BlockingClient(_Client):
    """For threads; `more_s`: how much longer than `timeout_s` it waits for an answer."""

    def __init__(self, url: str, timeout_s: float, more_s: float) -> None:
        timeouts = {"socket_timeout": timeout_s + more_s, "socket_connect_timeout": timeout_s}
        super().__init__(redis.ConnectionPool.from_url(url), **timeouts, retry=Retry(NoBackoff(), 0))
        self._bound = struct.pack("ll", *divmod(round(1e6 * (timeout_s + more_s)), 1_000_000))  # a timeval

    async def _answer(self, connection: Any, command: tuple[Any, ...]) -> Any:
        connection.send_command(*command)
        return connection.read_response()

    def wake_once(self, connection: Any) -> None:
        """Lets the system bound how long an open connection waits, for a thread that no signal reaches: each
        would begin the time anew. Python bounds it by two calls, one that waits and one that reads, and beside a busy
        thread this one has its turn 5 ms after each."""
        sock = connection._sock  # redis-py has no other way to it
        if not isinstance(sock, ssl.SSLSocket):  # which would try again for ever
            sock.settimeout(None)
            for bound in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
                sock.setsockopt(socket.SOL_SOCKET, bound, self._bound)

    def wake(self, connection: Any) -> None:
        """Ends the waiting of another thread on a connection, by Ended."""
        sock = connection and connection._sock
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        while self._idle:
            self._idle.pop().disconnect()


class LoopClient(_Client):
    """For one loop of asyncio."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        # answers are waited for here: redis-py would start a task to bound the sending
        timeouts = {"socket_timeout": None, "socket_connect_timeout": timeout_s}
        super().__init__(redis.asyncio.ConnectionPool.from_url(url), **timeouts, retry=AsyncRetry(NoBackoff(), 0))

    async def _answer(self, connection: Any, command: tuple[Any, ...]) -> Any:
        await asyncio.sleep(0)  # what else is ready in the loop has its turn: the time that takes is not Redis's
        async with asyncio.timeout(self._timeout_s):
            await connection.send_command(*command)
            return await connection.read_response()

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop().disconnect()

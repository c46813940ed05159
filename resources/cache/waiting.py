"""The two ways to wait: by blocking the thread, and in asyncio's loop."""

import asyncio
import inspect
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import ResponseError

from resources.cache.redis_level import MOST_AT_ONCE, RedisLevel

T = TypeVar("T")
MOST_THREADS = 32  # of work behind the callers' backs; beyond that they do it themselves


def drive(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never suspends."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise RuntimeError("the blocking cache was given something that waits in a loop")


class _Connected:
    """Asks Redis over connections that it keeps: redis-py's own pool takes as long as the answer does."""

    def __init__(self, connect: Callable[[], Any] | None) -> None:
        self._connect = connect
        self._idle: deque[Any] = deque()

    async def execute(self, *command: Any) -> Any:
        """Raises what redis raises."""
        assert self._connect is not None
        try:
            connection = self._idle.pop()
        except IndexError:
            return await self._ask(self._connect(), command)
        try:
            return await self._ask(connection, command)
        except ConnectionLost:  # the server was started anew, or ended what was idle
            self._idle.clear()
            return await self._ask(self._connect(), command)

    async def _ask(self, connection: Any, command: tuple[Any, ...]) -> Any:
        """A connection on which anything but an answer was met is not used again."""
        try:
            answer = await self._answer(connection, command)
        except ResponseError:
            self._idle.append(connection)
            raise
        self._idle.append(connection)
        return answer

    async def _answer(self, connection: Any, command: tuple[Any, ...]) -> Any:
        raise NotImplementedError


class _Turn:
    """Of threads."""

    def __init__(self) -> None:
        self._free = threading.Semaphore(MOST_AT_ONCE)

    async def __aenter__(self) -> None:
        self._free.acquire()

    async def __aexit__(self, *_: Any) -> None:
        self._free.release()


class Blocking(_Connected):
    """Waits by blocking the thread. Factories are plain functions."""

    def __init__(self, redis: RedisLevel | None) -> None:
        super().__init__(redis.connect() if redis is not None else None)
        self.turn = _Turn()
        self._threads = threading.BoundedSemaphore(MOST_THREADS)

    async def _answer(self, connection: Any, command: tuple[Any, ...]) -> Any:
        connection.send_command(*command)
        return connection.read_response()

    async def call(self, factory: Callable[[], Any]) -> Any:
        return factory()

    async def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    async def wait(self, done: Future[Any], seconds: float | None) -> Any:
        return done.result(seconds)

    def start(self, work: Coroutine[Any, Any, None], *, behind: bool) -> None:
        if not behind or not self._threads.acquire(blocking=False):
            drive(work)
            return

        def run() -> None:
            try:
                drive(work)
            finally:
                self._threads.release()

        threading.Thread(target=run, name="cache factory", daemon=True).start()

    def close(self) -> None:
        while self._idle:
            self._idle.pop().disconnect()


class Looping(_Connected):
    """Waits in the running loop. Factories are plain functions or coroutine functions."""

    def __init__(self, redis: RedisLevel | None) -> None:
        super().__init__(redis.connect_async() if redis is not None else None)
        self._timeout_s = redis.timeout_s if redis is not None else 0.0
        self.turn = asyncio.Semaphore(MOST_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    async def _answer(self, connection: Any, command: tuple[Any, ...]) -> Any:
        # before it waits, what else is ready in the loop has its turn: the time that takes is not Redis's
        if not connection.is_connected:
            await asyncio.sleep(0)
        async with asyncio.timeout(self._timeout_s):
            await connection.send_command(*command)
        await asyncio.sleep(0)
        async with asyncio.timeout(self._timeout_s):
            return await connection.read_response()

    async def call(self, factory: Callable[[], Any]) -> Any:
        made = factory()
        return await made if inspect.isawaitable(made) else made

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def wait(self, done: Future[Any], seconds: float | None) -> Any:
        waiting = asyncio.wrap_future(done)
        # a caller that gives up ends neither the work nor leaves an error that nobody saw
        waiting.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        await asyncio.wait([waiting], timeout=seconds)
        if not waiting.done():
            raise TimeoutError
        return waiting.result()

    def start(self, work: Coroutine[Any, Any, None], *, behind: bool) -> None:
        # always a task of its own: a caller that is cancelled must not take the others' value with it
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop().disconnect()

"""The two ways to wait: by blocking the thread, and in asyncio's loop."""

import asyncio
import inspect
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

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


class _Turn:
    """Of threads."""

    def __init__(self) -> None:
        # a semaphore of `threading` takes ten times as long
        self._free: SimpleQueue[None] = SimpleQueue()
        for _ in range(MOST_AT_ONCE):
            self._free.put(None)

    async def __aenter__(self) -> None:
        self._free.get()

    async def __aexit__(self, *_: Any) -> None:
        self._free.put(None)


class Blocking:
    """Waits by blocking the thread. Factories are plain functions."""

    def __init__(self, redis: RedisLevel | None) -> None:
        self.client = redis.client() if redis is not None else None
        self.turn = _Turn()
        self._threads = threading.BoundedSemaphore(MOST_THREADS)

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

        try:
            threading.Thread(target=run, name="cache factory", daemon=True).start()
        except RuntimeError:  # the system gives no more threads
            run()

    def close(self) -> None:
        if self.client is not None:
            self.client.close()


class Looping:
    """Waits in the running loop. Factories are plain functions or coroutine functions."""

    def __init__(self, redis: RedisLevel | None) -> None:
        self.client = redis.loop_client() if redis is not None else None
        self.turn = asyncio.Semaphore(MOST_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

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
        if self.client is not None:
            await self.client.close()

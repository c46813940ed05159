"""The two ways to wait: block the thread, or await in an event loop. The policy in `async_cache` uses either."""

import asyncio
import inspect
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")
MAX_THREADS = 32  # for background work; beyond that a caller does the work itself


def drive(work: Coroutine[Any, Any, T]) -> T:
    """Returns the result of a coroutine that never suspends. Raises RuntimeError if it does."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise RuntimeError("a coroutine suspended outside an event loop: use Cache.asynchronous() for coroutine functions")


class SyncDriver:
    """Waits by blocking the thread. Factories are plain functions."""

    def __init__(self) -> None:
        self._threads = threading.BoundedSemaphore(MAX_THREADS)

    async def call(self, factory: Callable[[], Any]) -> Any:
        return factory()

    async def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    async def wait(self, done: Future[Any], seconds: float | None) -> Any:
        return done.result(seconds)

    def start(self, work: Coroutine[Any, Any, None], *, in_background: bool) -> None:
        if not in_background or not self._threads.acquire(blocking=False):
            drive(work)
            return

        def run() -> None:
            try:
                drive(work)
            finally:
                self._threads.release()

        try:
            threading.Thread(target=run, name="cache factory", daemon=True).start()
        except RuntimeError:  # the system has no more threads
            run()


class AsyncDriver:
    """Waits in the running event loop. Factories are plain functions or coroutine functions."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    async def call(self, factory: Callable[[], Any]) -> Any:
        result = factory()
        return await result if inspect.isawaitable(result) else result

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def wait(self, done: Future[Any], seconds: float | None) -> Any:
        waiting = asyncio.wrap_future(done)
        # retrieve the exception, so that asyncio logs nothing when the caller has timed out
        waiting.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        await asyncio.wait([waiting], timeout=seconds)
        if not waiting.done():
            raise TimeoutError
        return waiting.result()

    def start(self, work: Coroutine[Any, Any, None], *, in_background: bool) -> None:
        # always a separate task: cancelling one caller must not cancel the factory for the others
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


Driver = SyncDriver | AsyncDriver

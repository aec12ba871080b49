"""A function over many items on several processors, its results in order.

A worker is a fresh interpreter that reads its tasks from a pipe. What `multiprocessing` offers would import the
program's main script again, which fails in scripts that are not written for that; it also waits for ever, or prints a
traceback of each worker, when one is killed or the user presses Ctrl-C.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from queue import SimpleQueue
from typing import TypeVar

from sketch_pix2seq.errors import SketchError

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 2
"""Items a process that are begun before the results of the first are taken."""


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(work: Callable[[Item], Iterable[Result]], items: Iterable[Item], processes: int) -> Generator[Result]:
    """The results of ``work`` for one item after the other, computed by so many processes; 1 = in this one.

    work: a function of a module, or a `functools.partial` of one. With several processes the results of an item are
    kept until those of the items before it were taken. Closing the generator ends the processes at once; so do an
    error, which is raised here when its turn comes, and Ctrl-C.

    Raises SketchError where a process is killed from outside.
    """
    if processes == 1:
        for item in items:
            yield from work(item)
        return
    with ExitStack() as stack:
        workers = [stack.enter_context(_Worker()) for _ in range(processes)]
        idle: SimpleQueue[_Worker] = SimpleQueue()
        for worker in workers:
            idle.put(worker)

        def run(item: Item) -> list[Result]:
            worker = idle.get()
            try:
                return worker.ask(work, item)
            finally:
                idle.put(worker)

        pool = stack.enter_context(ThreadPoolExecutor(processes))
        waiting: deque[Future[list[Result]]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(run, item))
                if len(waiting) >= _AHEAD * processes:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in workers:
                worker.kill()


class _Worker:
    """An interpreter that runs `_serve`; a context manager."""

    def __init__(self) -> None:
        program = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import _serve; _serve()"
        self._process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            start_new_session=True,  # Ctrl-C reaches the parent alone
        )

    def __enter__(self) -> _Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._process.communicate()

    def kill(self) -> None:
        """End it, whatever it is doing."""
        self._process.kill()

    def ask(self, work: Callable[[Item], Iterable[Result]], item: Item) -> list[Result]:
        """The results of an item."""
        source, sink = self._process.stdout, self._process.stdin
        assert source is not None
        assert sink is not None
        results: list[Result] = []
        try:
            pickle.dump((work, item), sink)
            sink.flush()
            while True:
                more, answer = pickle.load(source)
                if not more:
                    break
                results.append(answer)
        except (EOFError, OSError, pickle.UnpicklingError):
            code = self._process.wait()
            raise SketchError(
                f"a process that was at work ended ({_ending(code)}); if memory ran out, fewer processes need less"
            ) from None
        if answer is not None:
            raise answer
        return results


def _serve() -> None:
    """A worker's life: tasks in on stdin, (True, result) for each result out on stdout, then (False, error or None)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with os.fdopen(os.dup(1), "wb") as sink:
        os.dup2(2, 1)  # what a library prints must not get between the results
        while True:
            try:
                work, item = pickle.load(sys.stdin.buffer)
            except EOFError:
                return
            error: Exception | None = None
            try:
                for result in work(item):
                    pickle.dump((True, result), sink, pickle.HIGHEST_PROTOCOL)
            except SketchError as known:
                error = known
            except Exception:
                error = RuntimeError(traceback.format_exc())
            pickle.dump((False, error), sink)
            sink.flush()


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"

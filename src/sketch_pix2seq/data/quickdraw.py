"""The catalogue of Google's *Quick, Draw!* and its download.

The files lie in a public bucket (github.com/googlecreativelab/quickdraw-dataset, CC BY 4.0). A file gets its name only
when it is whole and checked; until then it lies beside as ``NAME.part``, with the server's mark of its version in
``NAME.part.version``, and the next try goes on where the last one was cut.
"""

from __future__ import annotations

import difflib
import hashlib
import http.client
import json
import os
import queue
import re
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import Message
from email.utils import parsedate_to_datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import IO, Literal
from urllib.parse import quote, urlsplit

from sketch_pix2seq import __version__
from sketch_pix2seq.errors import DownloadError, FileError, SettingsError
from sketch_pix2seq.files import try_lock
from sketch_pix2seq.formats.limits import most_bytes
from sketch_pix2seq.formats.ndjson import MAX_LINE_BYTES

Kind = Literal["sketchrnn", "full", "simplified", "raw"]

CATEGORIES: tuple[str, ...] = tuple(
    resources.files("sketch_pix2seq.data").joinpath("categories.txt").read_text("utf-8").split("\n")[:-1]
)
"""The 345 categories, in Google's order: alphabetical, spaces, hyphens and case aside."""

_REMOTE: dict[Kind, str] = {
    "sketchrnn": "sketchrnn/{}.npz",
    "full": "sketchrnn/{}.full.npz",
    "simplified": "full/simplified/{}.ndjson",
    "raw": "full/raw/{}.ndjson",
}
_LOCAL: dict[Kind, str] = {
    "sketchrnn": "{}.npz",
    "full": "{}.full.npz",
    "simplified": "{}.simplified.ndjson",
    "raw": "{}.raw.ndjson",
}
_CHUNK = 1 << 18
_LOOK_AGAIN = 0.2
_LONGEST_WAIT = 60.0
_LONGEST_ASKED_WAIT = 600.0
"""A server that asks for more patience is not waited for."""
_WORTH_ANOTHER_TRY = frozenset({408, 425, 429})


@dataclass(frozen=True)
class DownloadSettings:
    """What is downloaded, from where, and how patiently."""

    kind: Kind = "sketchrnn"
    """Form of the drawings. "sketchrnn": 75,000 a category, ready for training (.npz); "full": all of them so.
    "simplified": all of them with country and date (.ndjson); "raw": these as drawn, with the time of every point."""
    base_url: str = "https://storage.googleapis.com/quickdraw_dataset"
    """Where the bucket, or a mirror of it, is found."""
    jobs: int = 4
    """Files downloaded at once."""
    retries: int = 4
    """Tries after one that brought nothing new, before a file counts as failed."""
    timeout: float = 30.0
    """Seconds without a byte after which a connection counts as cut."""
    least_rate: float = 1000.0
    """Bytes a second, over the time of ``timeout``, below which a connection counts as cut."""
    largest: int = 8 << 30
    """Bytes beyond which a file is not downloaded; the largest of Quick, Draw! has less than a gigabyte."""
    backoff: float = 1.0
    """Seconds before the first new try; twice as long before each further one."""
    overwrite: bool = False
    """Download again what is there already. Otherwise a file that is there is left alone and not asked for."""


@dataclass(frozen=True)
class Transfer:
    """How far one file is: bytes there, bytes in all where known, and "already there" or "trying again: ..."."""

    path: Path
    done: int
    total: int | None
    remark: str = ""


def suggest(name: str, count: int = 5) -> list[str]:
    """At most ``count`` categories that ``name`` may mean, likeliest first: other case, plural, hyphen, slip."""
    wanted = _normal(name)
    forms = {_normal(category): category for category in CATEGORIES}
    found = [forms[form] for form in (wanted, *_singulars(wanted), wanted + "s") if form in forms]
    if wanted:
        words = wanted.split()
        found += [category for form, category in forms.items() if set(words) & set(form.split())]
        found += [forms[form] for form in difflib.get_close_matches(wanted, forms, n=count, cutoff=0.7)]
        found += [category for form, category in forms.items() if len(wanted) > 2 and wanted in form]
    return list(dict.fromkeys(found))[:count]


def check_categories(names: Sequence[str]) -> None:
    """Raises SettingsError, with near misses, for names that Quick, Draw! does not have."""
    problems = []
    for name in dict.fromkeys(names):
        if name not in CATEGORIES:
            near = " or ".join(f'"{category}"' for category in suggest(name, 3))
            problems.append(f'no category "{name}"' + (f"; did you mean {near}?" if near else ""))
    if problems:
        raise SettingsError("; ".join(problems) + " (`sketch-pix2seq download --list` shows all 345)")


def download(
    categories: Sequence[str],
    folder: str | Path,
    *,
    settings: DownloadSettings = DownloadSettings(),
    on_progress: Callable[[Transfer], None] | None = None,
) -> list[Path]:
    """Download categories into a folder, several at once; the paths, in the order asked for.

    A file that is there already is whole, since it was given its name last, and is left alone. What was cut is taken
    up again, in this call and in the next one; ``on_progress`` is called in the caller's thread.

    Raises SettingsError for an unknown category before anything is downloaded, FileError for a folder that cannot be
    written, and, when all that could be had is there, DownloadError naming what failed and why.
    """
    check_categories(categories)
    _check_settings(settings)
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(folder, f"cannot be made into a folder: {error.strerror or error}") from error
    paths = {name: folder / _LOCAL[settings.kind].format(name) for name in categories}
    failed = _Crew(settings, paths, on_progress or (lambda transfer: None)).work()
    if failed:
        names: dict[str, list[str]] = {}
        for name, reason in failed.items():
            names.setdefault(reason, []).append(name)
        reasons = "; ".join(f"{', '.join(group)}: {reason}" for reason, group in names.items())
        raise DownloadError(
            f"{len(failed)} of {len(paths)} not downloaded ({reasons}); the same command goes on where this one ended"
        )
    return list(paths.values())


class _Final(Exception):
    """A failure that another try would not mend."""


class _Unreachable(Exception):
    """No answer from the server at all, try after try."""


class _TryAgain(Exception):
    """A failure that another try may mend, if wanted after so many seconds."""

    def __init__(self, problem: str, *, answered: bool = True, wait: float = 0.0) -> None:
        super().__init__(problem)
        self.answered = answered
        self.wait = wait


class _Stopped(Exception):
    """The caller has had enough."""


class _Crew:
    """Threads that download, and the caller's thread that hears of it.

    The threads are daemons and write without a buffer: on Ctrl-C nobody waits for a connection that hangs, and the
    ``.part`` holds every byte that came.
    """

    def __init__(self, settings: DownloadSettings, paths: dict[str, Path], report: Callable[[Transfer], None]) -> None:
        self.settings = settings
        self.paths = paths
        self.report = report
        self.stop = threading.Event()
        self.waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.heard: queue.SimpleQueue[Transfer | tuple[str, BaseException | None]] = queue.SimpleQueue()

    def work(self) -> dict[str, str]:
        """Download everything; what failed, and why."""
        for name in self.paths:
            self.waiting.put(name)
        threads = [
            threading.Thread(target=self._download_some, name="download", daemon=True)
            for _ in range(min(self.settings.jobs, len(self.paths)))
        ]
        for thread in threads:
            thread.start()
        failed: dict[str, str] = {}
        arrived = 0
        try:
            for _ in self.paths:
                while isinstance(news := self.heard.get(), Transfer):
                    self.report(news)
                name, error = news
                if error is None:
                    arrived += 1
                elif isinstance(error, (_Final, _Unreachable, _Stopped)):
                    failed[name] = str(error)
                else:
                    raise error
                if isinstance(error, _Unreachable) and not arrived:
                    self.stop.set()
        finally:
            self.stop.set()
            for thread in threads:
                thread.join(timeout=1.0)
        return {name: failed[name] for name in self.paths if name in failed}

    def _download_some(self) -> None:
        while True:
            try:
                name = self.waiting.get_nowait()
            except queue.Empty:
                return
            try:
                self._fetch(name)
            except BaseException as error:  # handed to the caller's thread
                self.heard.put((name, error))
            else:
                self.heard.put((name, None))

    def _fetch(self, name: str) -> None:
        path = self.paths[name]
        if path.exists() and not self.settings.overwrite:
            size = path.stat().st_size
            self.heard.put(Transfer(path, size, size, "already there"))
            return
        base = self.settings.base_url.rstrip("/")
        url = f"{base}/{quote(_REMOTE[self.settings.kind].format(name))}"
        try:
            file = _PartFile(path)
            with self._mine(file):
                if path.exists() and not self.settings.overwrite:
                    size = path.stat().st_size  # another process has finished it meanwhile
                    self.heard.put(Transfer(path, size, size, "already there"))
                    return
                self._insist(url, file)
                file.finish()
        except OSError as error:
            raise _Final(f"cannot be written to {path.parent}: {error.strerror or error}") from error

    @contextmanager
    def _mine(self, file: _PartFile) -> Iterator[None]:
        """Nobody else downloads the file meanwhile; who does so already is waited for."""
        while True:
            lock = os.open(file.part, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                if try_lock(lock) and _is_same(lock, file.part):
                    try:
                        yield
                    finally:
                        if file.part.exists() and not file.size():
                            file.part.unlink()
                    return
            finally:
                os.close(lock)
            self.heard.put(Transfer(file.path, file.size(), None, "waiting: another process downloads it"))
            if self.stop.wait(_LOOK_AGAIN):
                raise _Stopped("stopped on the way")
            if file.path.exists() and not self.settings.overwrite:
                yield
                return

    def _insist(self, url: str, file: _PartFile) -> None:
        """Try until the file is whole. A try that brings the file further than any before sets the count back."""
        best, fruitless = file.size(), 0
        while True:
            if self.stop.is_set():
                raise _Stopped("not tried, as the server cannot be reached")
            try:
                for done, total in _receive(url, file, self.settings):
                    self.heard.put(Transfer(file.path, done, total))
                    if self.stop.is_set():
                        raise _Stopped("stopped on the way")
                return
            except _TryAgain as problem:
                size = file.size()
                fruitless = 0 if size > best else fruitless + 1
                best = max(best, size)
                if fruitless > self.settings.retries:
                    tries = f"{fruitless} tries in vain" if fruitless > 1 else "one try in vain"
                    raise (_Final if problem.answered else _Unreachable)(f"{problem}, {tries}") from problem
                self.heard.put(Transfer(file.path, size, None, f"trying again: {problem}"))
                delay = self.settings.backoff * 2.0 ** min(max(fruitless - 1, 0), 16)
                self.stop.wait(min(max(delay, problem.wait), _LONGEST_WAIT))


class _PartFile:
    """The file beside the one wanted, and the version (ETag or date) of what it holds."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.part = path.with_name(path.name + ".part")
        self._version = path.with_name(path.name + ".part.version")

    def size(self) -> int:
        try:
            return self.part.stat().st_size
        except FileNotFoundError:
            return 0

    def version(self) -> str:
        """What the server called the version of these bytes; empty where it did not, and nothing can be taken up."""
        try:
            return self._version.read_text("utf-8")
        except (FileNotFoundError, UnicodeDecodeError):
            return ""

    def begin(self, version: str) -> None:
        """Forget what was there."""
        self.part.write_bytes(b"")
        self._version.write_text(version, "utf-8")

    def finish(self) -> None:
        with self.part.open("rb+") as file:
            os.fsync(file.fileno())
        self.part.replace(self.path)
        self._version.unlink(missing_ok=True)


def _receive(url: str, file: _PartFile, settings: DownloadSettings) -> Iterator[tuple[int, int | None]]:
    """One try: ask for what is missing, append it, check the whole; yields bytes there and bytes in all.

    Raises _TryAgain or _Final; OSError only for the local file.
    """
    have, version = file.size(), file.version()
    headers = {"User-Agent": f"sketch-pix2seq/{__version__}", "Accept-Encoding": "identity"}
    if have and version:
        headers |= {"Range": f"bytes={have}-", "If-Range": version}
    try:
        response = _opener().open(urllib.request.Request(url, headers=headers), timeout=settings.timeout)
    except urllib.error.HTTPError as error:
        error.close()
        answer = f"the server answered {error.code} {error.reason}"
        if error.code == 416 and have:
            if _content_range(error.headers) == (None, have) and _version(error.headers) in ("", version):
                _check(file, error.headers, have)
                return
            file.begin("")
            raise _TryAgain("the file on the server has changed") from error
        if error.code >= 500 or error.code in _WORTH_ANOTHER_TRY:
            if (wait := _retry_after(error.headers)) > _LONGEST_ASKED_WAIT:
                raise _Final(f"{answer} and asks to come back in {wait:,.0f} seconds") from error
            raise _TryAgain(answer, wait=wait) from error
        hint = "; is the base URL right?" if error.code == 404 else ""
        raise _Final(f"{answer} to {url}{hint}") from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise _Final(f"the server's certificate was not accepted: {error.reason.verify_message}") from error
        raise _TryAgain(f"no connection to {urlsplit(url).netloc} ({_reason(error.reason)})", answered=False) from error
    except (OSError, http.client.HTTPException) as error:
        raise _TryAgain(f"no answer from {urlsplit(url).netloc} ({_reason(error)})", answered=False) from error
    with response:
        total = _begin_or_go_on(response, file, have, version)
        done = file.size()
        _check_size(file, done if total is None else total, settings.largest)
        yield done, total
        since, before = time.monotonic(), done
        with file.part.open("ab", buffering=0) as out:
            while chunk := _read(response):
                out.write(chunk)
                done += len(chunk)
                _check_size(file, done, settings.largest)
                if (seconds := time.monotonic() - since) > settings.timeout:
                    if done - before < settings.least_rate * seconds:
                        raise _TryAgain(f"only {(done - before) / seconds:,.0f} bytes a second came")
                    since, before = time.monotonic(), done
                yield done, total
        if total is not None and done < total:
            raise _TryAgain(f"the connection was cut after {done:,} of {total:,} bytes")
        if total is not None and done > total:
            file.begin("")
            raise _TryAgain(f"{done:,} bytes came, more than the {total:,} that were announced")
        _check(file, response.headers, total)


def _check_size(file: _PartFile, size: int, largest: int) -> None:
    if size > largest:
        file.begin("")
        raise _Final(f"the file has more than {largest:,} bytes, which none of Quick, Draw! has")


class _Connection(http.client.HTTPConnection):
    """The head of an answer must be there within the time for one read; it could come byte by byte, or never end."""

    def getresponse(self) -> http.client.HTTPResponse:
        timer = threading.Timer(float(self.timeout or _LONGEST_WAIT), self._cut)
        timer.daemon = True
        timer.start()
        try:
            return super().getresponse()
        finally:
            timer.cancel()

    def _cut(self) -> None:
        with suppress(OSError, AttributeError):
            self.sock.shutdown(socket.SHUT_RDWR)


class _SecureConnection(http.client.HTTPSConnection):
    getresponse = _Connection.getresponse
    _cut = _Connection._cut


class _Http(urllib.request.HTTPHandler):
    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Connection, request)


class _Https(urllib.request.HTTPSHandler):
    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_SecureConnection, request)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to http and https only, and never from an encrypted address to one that is not."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        scheme = urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (req.type == "https" and scheme != "https"):
            raise _Final(f"the server sends on to {newurl:.200}, which is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@cache
def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_Http, _Https, _Redirects)


def _begin_or_go_on(response: http.client.HTTPResponse, file: _PartFile, have: int, version: str) -> int | None:
    """Make the file ready for the body that comes: as it is for the missing rest, emptied for the whole.

    The size of the whole, where the server tells. A rest that does not join what is there is refused.
    """
    headers = response.headers
    if response.status == 206:
        start, total = _content_range(headers)
        if not have or start != have or not _is_version(headers, version):
            file.begin("")
            raise _TryAgain("the server sent another part than the one asked for")
        return total
    file.begin(_version(headers))
    length = headers.get("Content-Length", "")
    return int(length) if re.fullmatch("[0-9]{1,18}", length) else None


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read1(_CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _TryAgain(f"the connection was cut ({_reason(error)})") from error


def _check(file: _PartFile, headers: Message, total: int | None) -> None:
    """The MD5 where the server tells it; else all of the content, as a file cut short or an error page is no file.

    Lines of which nobody says how long they are all together are refused: they could end anywhere.
    """
    expected = _md5(headers)
    if expected is not None:
        with file.part.open("rb") as whole:
            found = b64encode(hashlib.file_digest(whole, lambda: hashlib.md5(usedforsecurity=False)).digest()).decode()
        if found != expected:
            file.begin("")
            raise _TryAgain("what came does not have the checksum that the server states")
    if file.path.suffix == ".npz":
        is_whole = _is_npz(file.part, each=expected is None)
    elif expected is None and total is None and headers.get("Transfer-Encoding", "").lower() != "chunked":
        raise _TryAgain("the server does not say how long the file is, so that nobody knows whether it is whole")
    else:
        is_whole = _is_json_lines(file.part, each=expected is None)
    if not is_whole:
        size = file.size()
        file.begin("")
        raise _TryAgain(f"the {size:,} bytes that came are not a whole {file.path.suffix} file")


def _is_npz(path: Path, *, each: bool) -> bool:
    """Whether a file is a zip with its end record and, with ``each``, every member has the checksum that it says."""
    if not each:
        return zipfile.is_zipfile(path)
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
            return unpacked <= most_bytes(path.stat().st_size) and archive.testzip() is None
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError):
        return False


def _is_json_lines(path: Path, *, each: bool) -> bool:
    """Whether the first and last line of a file or, with ``each``, all of them are JSON objects."""
    with path.open("rb") as lines:
        if not each:
            first = lines.read(1)
            lines.seek(max(0, path.stat().st_size - 3))
            return first == b"{" and lines.read().rstrip().endswith(b"}")
        found = False
        while line := lines.readline(MAX_LINE_BYTES + 1):
            if line.isspace():
                continue
            try:
                if len(line) > MAX_LINE_BYTES or not isinstance(json.loads(line), dict):
                    return False
            except (ValueError, RecursionError):
                return False
            found = True
        return found


def _version(headers: Message) -> str:
    """A mark that If-Range takes: a strong ETag, else the date."""
    etag = headers.get("ETag", "")
    return etag if etag and not etag.startswith("W/") else headers.get("Last-Modified", "")


def _is_version(headers: Message, version: str) -> bool:
    """Whether a part is of the version that is there. It must carry its ETag; a date may be left out (RFC 9110)."""
    found = _version(headers)
    return found == version or (not found and not version.startswith('"'))


def _is_same(descriptor: int, path: Path) -> bool:
    """Whether a file that was opened is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _content_range(headers: Message) -> tuple[int | None, int | None]:
    """First byte and size of the whole, None where not told: ``bytes 5-9/10`` gives (5, 10)."""
    match = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(?:(\d+)|\*)", headers.get("Content-Range", ""))
    first, total = match.groups() if match else (None, None)
    return int(first) if first else None, int(total) if total else None


def _md5(headers: Message) -> str | None:
    """Base64 MD5 from Google's ``x-goog-hash``; it is of the stored bytes, so not for what was stored compressed."""
    if headers.get("x-goog-stored-content-encoding", "identity") != "identity":
        return None
    hashes = ",".join(headers.get_all("x-goog-hash", []))
    return next((part.strip()[4:] for part in hashes.split(",") if part.strip().startswith("md5=")), None)


def _retry_after(headers: Message) -> float:
    """Seconds, which the server tells as such or by a date."""
    told = headers.get("Retry-After", "")
    if re.fullmatch("[0-9]{1,300}", told):
        return float(told)
    try:
        return max(0.0, parsedate_to_datetime(told).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _reason(error: object) -> str:
    if isinstance(error, TimeoutError):
        return "timed out"
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


def _check_settings(settings: DownloadSettings) -> None:
    try:
        parts = urlsplit(settings.base_url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or re.search(r"[^!-~]", settings.base_url):
        raise SettingsError(f"the base URL {settings.base_url!r} is not an http or https address")
    if settings.jobs < 1 or settings.retries < 0 or not settings.backoff >= 0 or not 0 < settings.timeout <= 1e6:
        raise SettingsError("a download needs at least 1 job, 0 retries, and a timeout of 0 to 1,000,000 seconds")
    if not settings.least_rate >= 0 or settings.largest < 1:
        raise SettingsError("a download needs a least rate of 0 or more and a largest size of 1 or more")


def _normal(name: str) -> str:
    return " ".join(re.split(r"[\s_-]+", name.casefold().strip()))


def _singulars(name: str) -> list[str]:
    forms = [name.removesuffix(ending) for ending in ("s", "es") if name.endswith(ending)]
    return [*forms, name.removesuffix("ies") + "y"] if name.endswith("ies") else forms

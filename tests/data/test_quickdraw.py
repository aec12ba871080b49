"""The catalogue, and downloads from a server that misbehaves."""

from __future__ import annotations

import io
import re
import threading
import time
import zipfile
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from email.message import Message
from email.utils import formatdate
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest

from sketch_pix2seq.data import quickdraw
from sketch_pix2seq.data.quickdraw import CATEGORIES, DownloadSettings, Transfer, download, suggest
from sketch_pix2seq.errors import DownloadError, FileError, SettingsError


def archive(seed: int, size: int = 200_000) -> bytes:
    """A zip file of noise, the same at any time: what a .npz file is from the outside."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(zipfile.ZipInfo("train.npy"), np.random.default_rng(seed).bytes(size))
    return buffer.getvalue()


@dataclass
class Remote:
    """A file as the server has it, and how the server misbehaves."""

    body: bytes
    etag: str | None = '"one"'
    ranges: bool = True
    if_range: bool = True
    cuts: list[int] = field(default_factory=list)
    """Bytes after which each of the next answers is cut."""
    statuses: list[int] = field(default_factory=list)
    """Statuses of the next answers, before any goes well."""
    announced: int | None = None
    """Content-Length of a whole answer, where it is a lie."""
    checksum: bytes | None = None
    """Body that the stated MD5 is of."""
    after: Callable[[Remote], object] = lambda remote: None
    """Called after each answer."""
    asked: list[str] = field(default_factory=list)
    """The Range header of each request so far."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, Remote] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/bucket"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        remote = self.server.files.get(unquote(self.path))
        if remote is None:
            self.send_error(404)
            return
        wanted = self.headers.get("Range", "")
        remote.asked.append(wanted)
        if remote.statuses:
            self.send_error(remote.statuses.pop(0))
            return
        body, start, total = remote.body, 0, len(remote.body)
        same = not remote.if_range or self.headers.get("If-Range") == remote.etag
        if remote.ranges and same and (match := re.fullmatch(r"bytes=(\d+)-", wanted)):
            start = int(match[1])
            if start >= total:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{total}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body = body[start:]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
            self.send_header("Content-Length", str(len(body)))
        else:
            self.send_response(200)
            if remote.announced != -1:
                self.send_header("Content-Length", str(remote.announced or len(body)))
        if remote.etag is not None:
            self.send_header("ETag", remote.etag)
        if remote.checksum is not None:
            self.send_header("x-goog-hash", "crc32c=AAAAAA==")
            self.send_header("x-goog-hash", "md5=" + b64encode(md5(remote.checksum).digest()).decode())
        self.end_headers()
        self.wfile.write(body[: remote.cuts.pop(0)] if remote.cuts else body)
        remote.after(remote)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def pig(server: Server) -> Remote:
    """pig.npz on the server."""
    return server.files.setdefault("/bucket/sketchrnn/pig.npz", Remote(archive(0)))


def settings(server: Server, **changes: object) -> DownloadSettings:
    quick = DownloadSettings(base_url=server.url, backoff=0.0, timeout=5.0, retries=2)
    return replace(quick, **changes)  # type: ignore[arg-type]


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if ".part" in path.name)


class TestCatalogue:
    def test_it_has_the_345_in_order(self) -> None:
        assert len(CATEGORIES) == len(set(CATEGORIES)) == 345
        letters = [re.sub(r"[ -]", "", name).lower() for name in CATEGORIES]
        assert letters == sorted(letters)
        assert {"The Great Wall of China", "alarm clock", "t-shirt", "teddy-bear", "zigzag"} <= set(CATEGORIES)

    @pytest.mark.shared
    def test_it_names_what_google_names(self, shared_data: Path) -> None:
        assert {path.stem for path in (shared_data / "quickdraw").glob("*.npz")} < set(CATEGORIES)

    @pytest.mark.parametrize(
        ("name", "meant"),
        [
            ("Cat", "cat"),
            ("cats", "cat"),
            ("alarm_clock", "alarm clock"),
            ("alarmclock", "alarm clock"),
            ("the great-wall of china", "The Great Wall of China"),
            ("great wall", "The Great Wall of China"),
            ("teddy bear", "teddy-bear"),
            ("tshirts", "t-shirt"),
            ("buses", "bus"),
            ("strawberries", "strawberry"),
            ("pant", "pants"),
            ("girafe", "giraffe"),
            ("Eiffel", "The Eiffel Tower"),
        ],
    )
    def test_near_misses(self, name: str, meant: str) -> None:
        assert suggest(name)[0] == meant

    def test_a_word_finds_all_that_have_it(self) -> None:
        assert set(suggest("clock")) >= {"clock", "alarm clock"}
        assert len(suggest("clock", 1)) == 1

    def test_nothing_near(self) -> None:
        assert suggest("xqzzy") == []
        assert suggest(" ") == []

    def test_unknown_ones_are_refused_before_anything_is_asked(
        self, server: Server, pig: Remote, tmp_path: Path
    ) -> None:
        with pytest.raises(SettingsError, match=r'no category "Pigs"; did you mean "pig".*; no category "xqzzy" \('):
            download(["pig", "Pigs", "xqzzy"], tmp_path / "out", settings=settings(server))
        assert pig.asked == []
        assert not (tmp_path / "out").exists()


class TestDownload:
    def test_each_kind_has_its_place(self, server: Server, tmp_path: Path) -> None:
        lines = b'{"word": "alarm clock"}\n'
        server.files = {
            "/bucket/sketchrnn/alarm clock.npz": Remote(archive(1)),
            "/bucket/sketchrnn/alarm clock.full.npz": Remote(archive(2)),
            "/bucket/full/simplified/alarm clock.ndjson": Remote(lines),
            "/bucket/full/raw/alarm clock.ndjson": Remote(lines * 2),
        }
        paths = [
            download(["alarm clock"], tmp_path, settings=settings(server, kind=kind))[0]
            for kind in ("sketchrnn", "full", "simplified", "raw")
        ]
        assert [path.read_bytes() for path in paths] == [remote.body for remote in server.files.values()]
        assert len(set(paths)) == 4
        assert leftovers(tmp_path) == []

    def test_several_at_once_in_the_order_asked_for(self, server: Server, tmp_path: Path) -> None:
        names = CATEGORIES[:8]
        met = threading.Barrier(3, timeout=5)
        for index, name in enumerate(names):
            server.files[f"/bucket/sketchrnn/{name}.npz"] = Remote(archive(index, 1000))
        for name in names[:3]:
            server.files[f"/bucket/sketchrnn/{name}.npz"].after = lambda remote: met.wait()
        paths = download(names, tmp_path, settings=settings(server, jobs=3))
        assert [path.stem for path in paths] == list(names)
        assert not met.broken, "three were not under way at once"
        for index, path in enumerate(paths):
            assert path.read_bytes() == archive(index, 1000)

    def test_progress_is_told_in_the_callers_thread(self, server: Server, pig: Remote, tmp_path: Path) -> None:
        heard: list[tuple[Transfer, int]] = []

        def hear(transfer: Transfer) -> None:
            heard.append((transfer, threading.get_ident()))

        download(["pig"], tmp_path, settings=settings(server), on_progress=hear)
        assert {thread for _, thread in heard} == {threading.get_ident()}
        done = [transfer.done for transfer, _ in heard]
        assert done == sorted(done)
        assert heard[-1][0] == Transfer(tmp_path / "pig.npz", len(pig.body), len(pig.body))

    def test_what_is_there_is_left_alone(self, server: Server, pig: Remote, tmp_path: Path) -> None:
        download(["pig", "pig"], tmp_path, settings=settings(server))
        heard: list[Transfer] = []
        download(["pig"], tmp_path, settings=settings(server), on_progress=heard.append)
        assert [transfer.remark for transfer in heard] == ["already there"]
        assert len(pig.asked) == 1
        pig.body = archive(9)
        download(["pig"], tmp_path, settings=settings(server, overwrite=True))
        assert (tmp_path / "pig.npz").read_bytes() == pig.body

    @pytest.mark.parametrize("url", ["ftp://x/y", "bucket", "http://", "http://[", "http://host:port", "http://a b"])
    def test_a_base_url_that_is_none(self, url: str, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match="not an http or https address"):
            download(["pig"], tmp_path, settings=DownloadSettings(base_url=url))

    def test_no_jobs(self, server: Server, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match="at least 1 job"):
            download(["pig"], tmp_path, settings=settings(server, jobs=0))

    def test_a_folder_that_is_a_file(self, server: Server, tmp_path: Path) -> None:
        (tmp_path / "out").write_text("here")
        with pytest.raises(FileError, match="cannot be made into a folder"):
            download(["pig"], tmp_path / "out", settings=settings(server))

    def test_a_part_that_cannot_be_written(self, server: Server, pig: Remote, tmp_path: Path) -> None:
        (tmp_path / "pig.npz.part").mkdir()
        with pytest.raises(DownloadError, match="cannot be written to"):
            download(["pig"], tmp_path, settings=settings(server))


class TestBreaks:
    def test_a_cut_connection_is_taken_up(self, server: Server, pig: Remote, tmp_path: Path) -> None:
        pig.cuts = [70_000, 50_000, 1]
        (path,) = download(["pig"], tmp_path, settings=settings(server))
        assert path.read_bytes() == pig.body
        assert pig.asked == ["", "bytes=70000-", "bytes=120000-", "bytes=120001-"]
        assert leftovers(tmp_path) == []

    def test_progress_sets_the_count_of_tries_back(self, server: Server, pig: Remote, tmp_path: Path) -> None:
        pig.cuts = [20_000] * 8
        (path,) = download(["pig"], tmp_path, settings=settings(server, retries=0))
        assert path.read_bytes() == pig.body

    def test_the_next_call_goes_on(self, server: Server, pig: Remote, tmp_path: Path) -> None:
        pig.cuts = [70_000, 0, 0, 0]
        with pytest.raises(DownloadError, match=r"pig: the connection was cut after 70,000 of .*, 3 tries in vain"):
            download(["pig"], tmp_path, settings=settings(server))
        assert not (tmp_path / "pig.npz").exists()
        pig.asked.clear()
        (path,) = download(["pig"], tmp_path, settings=settings(server))
        assert path.read_bytes() == pig.body
        assert pig.asked == ["bytes=70000-"]

    def test_ctrl_c_keeps_what_came(self, server: Server, pig: Remote, tmp_path: Path) -> None:
        def interrupt(transfer: Transfer) -> None:
            if transfer.done:
                raise KeyboardInterrupt

        released = threading.Event()
        pig.cuts = [100_000]
        pig.after = lambda remote: released.wait(5)
        with pytest.raises(KeyboardInterrupt):
            download(["pig"], tmp_path, settings=settings(server), on_progress=interrupt)
        released.set()
        assert leftovers(tmp_path) == ["pig.npz.part", "pig.npz.part.version"]
        have = (tmp_path / "pig.npz.part").stat().st_size
        pig.asked.clear()
        (path,) = download(["pig"], tmp_path, settings=settings(server))
        assert pig.asked == [f"bytes={have}-"]
        assert path.read_bytes() == pig.body

    def test_a_server_that_ignores_ranges(self, server: Server, pig: Remote, tmp_path: Path) -> None:
        pig.ranges = False
        pig.cuts = [70_000, 60_000]
        (path,) = download(["pig"], tmp_path, settings=settings(server))
        assert path.read_bytes() == pig.body

    def test_a_server_that_never_gets_further(self, server: Server, pig: Remote, tmp_path: Path) -> None:
        pig.ranges = False
        pig.cuts = [70_000] * 20
        with pytest.raises(DownloadError, match="3 tries in vain"):
            download(["pig"], tmp_path, settings=settings(server))
        assert len(pig.asked) == 4

    def test_no_version_no_range(self, server: Server, pig: Remote, tmp_path: Path) -> None:
        pig.etag = None
        pig.cuts = [70_000]
        download(["pig"], tmp_path, settings=settings(server))
        assert pig.asked == ["", ""]

    def test_a_file_that_changes_between_tries(self, server: Server, pig: Remote, tmp_path: Path) -> None:
        def change(remote: Remote) -> None:
            remote.body, remote.etag, remote.after = archive(5), '"two"', lambda remote: None

        pig.cuts, pig.after = [70_000], change
        (path,) = download(["pig"], tmp_path, settings=settings(server))
        assert path.read_bytes() == archive(5)

    def test_a_changed_file_on_a_server_without_if_range(self, server: Server, pig: Remote, tmp_path: Path) -> None:
        def change(remote: Remote) -> None:
            remote.body, remote.etag, remote.after = archive(5), '"two"', lambda remote: None

        pig.cuts, pig.after, pig.if_range = [70_000], change, False
        (path,) = download(["pig"], tmp_path, settings=settings(server))
        assert path.read_bytes() == archive(5)
        assert pig.asked == ["", "bytes=70000-", ""]

    def test_whole_but_not_yet_renamed(self, server: Server, pig: Remote, tmp_path: Path) -> None:
        (tmp_path / "pig.npz.part").write_bytes(pig.body)
        (tmp_path / "pig.npz.part.version").write_text('"one"')
        (path,) = download(["pig"], tmp_path, settings=settings(server))
        assert path.read_bytes() == pig.body
        assert pig.asked == [f"bytes={len(pig.body)}-"]

    def test_a_part_longer_than_the_file(self, server: Server, pig: Remote, tmp_path: Path) -> None:
        (tmp_path / "pig.npz.part").write_bytes(pig.body + b"more")
        (tmp_path / "pig.npz.part.version").write_text('"one"')
        (path,) = download(["pig"], tmp_path, settings=settings(server))
        assert path.read_bytes() == pig.body


class TestLies:
    def test_a_length_that_is_too_long(self, server: Server, pig: Remote, tmp_path: Path) -> None:
        pig.announced = len(pig.body) + 500
        (path,) = download(["pig"], tmp_path, settings=settings(server))
        assert path.read_bytes() == pig.body

    def test_a_length_that_is_too_long_without_ranges(self, server: Server, pig: Remote, tmp_path: Path) -> None:
        pig.announced, pig.ranges = len(pig.body) + 500, False
        with pytest.raises(DownloadError, match="the connection was cut after"):
            download(["pig"], tmp_path, settings=settings(server))
        assert not (tmp_path / "pig.npz").exists()

    def test_a_length_that_is_too_short(self, server: Server, pig: Remote, tmp_path: Path) -> None:
        pig.announced = len(pig.body) - 500
        with pytest.raises(DownloadError, match=r"bytes that came are not a whole \.npz file"):
            download(["pig"], tmp_path, settings=settings(server))
        assert not (tmp_path / "pig.npz").exists()

    def test_no_length_at_all(self, server: Server, pig: Remote, tmp_path: Path) -> None:
        pig.announced = -1
        pig.cuts = [70_000]
        (path,) = download(["pig"], tmp_path, settings=settings(server))
        assert path.read_bytes() == pig.body

    def test_a_rest_that_is_not_the_one_asked_for(
        self, server: Server, pig: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(quickdraw, "_content_range", lambda headers: (3, len(pig.body)))
        pig.cuts = [70_000]
        (path,) = download(["pig"], tmp_path, settings=settings(server))
        assert path.read_bytes() == pig.body
        assert pig.asked[-1] == ""

    def test_a_checksum_that_holds(self, server: Server, pig: Remote, tmp_path: Path) -> None:
        pig.checksum, pig.cuts = pig.body, [70_000]
        download(["pig"], tmp_path, settings=settings(server))
        assert (tmp_path / "pig.npz").read_bytes() == pig.body

    def test_a_checksum_that_does_not(self, server: Server, pig: Remote, tmp_path: Path) -> None:
        pig.checksum = b"something else"
        with pytest.raises(DownloadError, match="checksum"):
            download(["pig"], tmp_path, settings=settings(server))
        assert not (tmp_path / "pig.npz").exists()

    @pytest.mark.parametrize("body", [b"", b"<html>Sign in to the network</html>\n", b'{"word": "pig"}\n{"word": "pi'])
    @pytest.mark.parametrize("kind", ["sketchrnn", "simplified"])
    def test_an_answer_of_another_form(self, kind: str, body: bytes, server: Server, tmp_path: Path) -> None:
        for place in ("sketchrnn/pig.npz", "full/simplified/pig.ndjson"):
            server.files[f"/bucket/{place}"] = Remote(body)
        with pytest.raises(DownloadError, match="not a whole"):
            download(["pig"], tmp_path, settings=settings(server, kind=kind))


class TestStatuses:
    def test_500_then_200(self, server: Server, pig: Remote, tmp_path: Path) -> None:
        pig.statuses = [500, 503]
        heard: list[Transfer] = []
        (path,) = download(["pig"], tmp_path, settings=settings(server), on_progress=heard.append)
        assert path.read_bytes() == pig.body
        remarks = [transfer.remark for transfer in heard if transfer.remark]
        assert remarks[0] == "trying again: the server answered 500 Internal Server Error"

    def test_500_for_good(self, server: Server, pig: Remote, tmp_path: Path) -> None:
        pig.statuses = [500] * 10
        with pytest.raises(DownloadError, match="500 Internal Server Error, 3 tries in vain"):
            download(["pig"], tmp_path, settings=settings(server))
        assert len(pig.asked) == 3

    def test_403_is_final(self, server: Server, pig: Remote, tmp_path: Path) -> None:
        pig.statuses = [403]
        with pytest.raises(DownloadError, match="403 Forbidden"):
            download(["pig"], tmp_path, settings=settings(server))
        assert len(pig.asked) == 1

    def test_one_that_fails_does_not_stop_the_rest(self, server: Server, pig: Remote, tmp_path: Path) -> None:
        with pytest.raises(DownloadError, match="2 of 3 not downloaded") as caught:
            download(["cat", "pig", "dog"], tmp_path, settings=settings(server))
        assert (tmp_path / "pig.npz").read_bytes() == pig.body
        message = str(caught.value)
        assert "cat: the server answered 404" in message
        assert "dog: the server answered 404" in message
        assert "\n" not in message

    def test_nobody_there(self, tmp_path: Path) -> None:
        with Server() as gone:
            url = gone.url
        heard: list[Transfer] = []
        with pytest.raises(DownloadError, match=r"345 of 345 .*no connection to 127\.0\.0\.1"):
            download(
                CATEGORIES,
                tmp_path,
                settings=DownloadSettings(base_url=url, backoff=0.0, retries=1, jobs=2),
                on_progress=heard.append,
            )
        assert len(heard) < 100

    def test_a_server_that_falls_silent(self, server: Server, pig: Remote, tmp_path: Path) -> None:
        silent = threading.Event()
        pig.cuts, pig.after = [70_000, 0], lambda remote: silent.wait(5)
        with pytest.raises(DownloadError, match="timed out"):
            download(["pig"], tmp_path, settings=settings(server, timeout=0.2, retries=0))
        silent.set()


class TestWhole:
    def test_without_a_checksum_every_member_is_checked(self, server: Server, tmp_path: Path) -> None:
        data = bytearray(archive(0))
        data[len(data) // 2] ^= 1
        server.files["/bucket/sketchrnn/pig.npz"] = Remote(bytes(data))
        with pytest.raises(DownloadError, match=r"are not a whole \.npz file"):
            download(["pig"], tmp_path, settings=settings(server, retries=0))
        assert not (tmp_path / "pig.npz").exists()

    @pytest.mark.parametrize("broken", [b'{"a":', b"[1]", b"<html>", b'{"a":1}}'])
    def test_without_a_checksum_every_line_is_checked(self, server: Server, tmp_path: Path, broken: bytes) -> None:
        content = b'{"drawing":[]}\n' + broken + b'\n{"drawing":[]}\n'
        server.files["/bucket/full/simplified/pig.ndjson"] = Remote(content)
        with pytest.raises(DownloadError, match=r"are not a whole \.ndjson file"):
            download(["pig"], tmp_path, settings=settings(server, retries=0, kind="simplified"))

    def test_a_file_that_is_too_large_is_not_begun(self, server: Server, pig: Remote, tmp_path: Path) -> None:
        with pytest.raises(DownloadError, match="the file has more than 1,000 bytes"):
            download(["pig"], tmp_path, settings=settings(server, largest=1000))
        assert not list(tmp_path.glob("*.npz*t"))

    def test_two_at_once_on_one_file(self, server: Server, pig: Remote, tmp_path: Path) -> None:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: download(["pig"], tmp_path, settings=settings(server)), range(4)))
        assert found == [[tmp_path / "pig.npz"]] * 4
        assert (tmp_path / "pig.npz").read_bytes() == archive(0)
        assert leftovers(tmp_path) == []

    @pytest.mark.parametrize(("told", "seconds"), [("7", 7.0), ("", 0.0), ("x" * 5000, 0.0), ("9" * 5000, 0.0)])
    def test_retry_after(self, told: str, seconds: float) -> None:
        headers = Message()
        headers["Retry-After"] = told
        assert quickdraw._retry_after(headers) == seconds

    def test_retry_after_a_date(self) -> None:
        headers = Message()
        headers["Retry-After"] = formatdate(time.time() + 100, usegmt=True)
        assert 90 < quickdraw._retry_after(headers) <= 100

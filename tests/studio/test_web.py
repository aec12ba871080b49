"""The studio as a folder for a static host."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from sketch_pix2seq.errors import FileError, ModelError
from sketch_pix2seq.studio.web import HOST_HEADERS, LIST, export_web

PAGE = {"index.html", "assets/app-1.js", "assets/ort.wasm.gz", "build.json"}


@pytest.fixture
def model(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "some.json").write_text("{}")
    (tmp_path / "some.onnx").write_bytes(b"graph")
    return {"config.json": tmp_path / "some.json", "decoder.onnx": tmp_path / "some.onnx"}


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_everything_is_in_one_folder(tmp_path: Path, page: Path, model: dict[str, Path]) -> None:
    out = tmp_path / "new" / "site"
    written = export_web(out, model, page=page)
    assert files(out) == PAGE | {"model/config.json", "model/decoder.onnx", HOST_HEADERS, LIST}
    assert (out / "model" / "decoder.onnx").read_bytes() == b"graph"
    assert written.files == len(files(out))
    assert written.size == sum((out / name).stat().st_size for name in files(out))
    assert set(json.loads((out / LIST).read_text())["files"]) == files(out)
    headers = (out / HOST_HEADERS).read_text()
    assert headers.startswith("/*\n  Cross-Origin-Opener-Policy: same-origin\n")
    assert [path.name for path in out.parent.iterdir()] == ["site"], "nothing is left beside"
    others = tmp_path / "other"
    others.mkdir()
    assert stat.S_IMODE(out.stat().st_mode) == stat.S_IMODE(others.stat().st_mode), "a host may read it"


def test_an_earlier_export_is_renewed_and_the_rest_stays(tmp_path: Path, page: Path, model: dict[str, Path]) -> None:
    out = tmp_path / "site"
    export_web(out, model, page=page)
    (out / "CNAME").write_text("draw.example")
    (out / ".git").mkdir()
    (out / ".git" / "HEAD").write_text("ref")
    (page / "assets" / "app-1.js").rename(page / "assets" / "app-2.js")
    (page / "fonts").mkdir()
    (page / "fonts" / "a.woff2").write_bytes(b"font")
    export_web(out, model, page=page)
    assert {"assets/app-2.js", "fonts/a.woff2", "CNAME", ".git/HEAD"} <= files(out)
    assert "assets/app-1.js" not in files(out)
    (page / "fonts" / "a.woff2").unlink()
    del model["decoder.onnx"]
    export_web(out, model, page=page)
    assert not (out / "fonts").exists()
    assert not (out / "model" / "decoder.onnx").exists()
    assert [path.name for path in out.iterdir() if path.name.startswith(".writing")] == []


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, page: Path, model: dict[str, Path]) -> None:
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "index.html").write_text("mine")
    with pytest.raises(FileError, match="holds something else; name another, or give --overwrite"):
        export_web(out, model, page=page)
    assert files(out) == {"index.html"}
    (out / "notes.txt").write_text("mine too")
    export_web(out, model, page=page, overwrite=True)
    assert "studio" in (out / "index.html").read_text()
    assert (out / "notes.txt").read_text() == "mine too"
    with pytest.raises(FileError, match="there is a file of that name"):
        export_web(out / "notes.txt", model, page=page)
    empty = tmp_path / "empty"
    empty.mkdir()
    export_web(empty, model, page=page)
    assert (empty / "index.html").is_file()


def test_a_list_that_leads_elsewhere_removes_nothing(tmp_path: Path, page: Path, model: dict[str, Path]) -> None:
    out, outside = tmp_path / "site", tmp_path / "outside.txt"
    outside.write_text("keep")
    export_web(out, model, page=page)
    names = ["../outside.txt", str(outside), "model/../../outside.txt", ""]
    (out / LIST).write_text(json.dumps({"sketch-pix2seq": "studio", "files": names}))
    export_web(out, model, page=page)
    assert outside.read_text() == "keep"


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path, page: Path, model: dict[str, Path]) -> None:
    with pytest.raises(ModelError, match="make studio-page"):
        export_web(tmp_path / "site", model, page=tmp_path / "nowhere")
    with pytest.raises(FileError, match="cannot be written"):
        export_web(tmp_path / "some.json" / "site", model, page=page)
    with pytest.raises(FileError, match="cannot be written"):
        export_web(tmp_path / "site", {"config.json": tmp_path / "gone"}, page=page)
    assert not (tmp_path / "site").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".writing")] == []

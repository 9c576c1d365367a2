"""Each source check passes a good tree and fails a bad one, naming the file and what is wrong."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import check_banned
import check_features
import check_format
import check_functions
import check_includes
import check_sources
from checks import ROOT, blank, finish

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    for folder in ("src", "include", "python", "tests/unit", "tests/fuzz", "tools"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    return write_file


def test_blank_keeps_offsets_and_lines() -> None:
    text = 'a /* b\nc */ d "e\\"f" // g "h\n\'"\' i'
    blanked = blank(text)
    assert len(blanked) == len(text)
    assert blanked.count("\n") == text.count("\n")
    assert blanked.split() == ["a", "d", '"', '"', "'", "'", "i"]
    assert '"e\\"f"' in blank(text, keep_strings=True)


def test_finish_is_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert finish("check", []) == 0
    assert finish("check", ["wrong"]) == 1
    assert capsys.readouterr().out == "check: clean\nwrong\ncheck: 1 findings\n"


GOOD_INCLUDES = [
    ("src/h2/a.c", '#include "base/buf.h"\n#include "http/conn.h"\n#include "h2/a.h"\n'),
    ("src/net/a.c", '#include "http/trace.h"\n#include <uv.h>\n'),
    ("src/cli/a.c", '#include "h2/a.h"\n#include "server/a.h"\n'),
    ("src/server/a.c", '// #include "h2/a.h"\n/*\n#include "h2/a.h"\n*/\n'),
    ("python/herald/_ext/a.c", '#include "own.h"\n#include "herald_error.h"\n'),
]
BAD_INCLUDES = [
    ("src/h2/a.c", '#include "net/a.h"\n', "h2 may include hpack, http, base"),
    ("src/server/a.c", '\n# include "h2/a.h"\n', "src/server/a.c:2: h2/a.h is not allowed"),
    ("src/net/a.c", '#include "http/fields.h"\n', "http/fields.h is not allowed"),
    ("src/base/a.c", '#include "http/conn.h"\n', "base may include base"),
    ("src/http/a.c", "#include <sys/socket.h>\n", "http does no I/O"),
    ("src/h2/a.c", '#include "a.h"\n', "a.h is not a path from src/ or include/"),
    ("src/h2/a.c", '#include "../net/a.h"\n', "is not"),
    ("src/novel/a.c", "int a;\n", "its module is not in the table"),
    ("src/a.c", "int a;\n", "its module is not in the table"),
]


def lay_headers(write: Write) -> None:
    for name in ("base/buf.h", "h2/a.h", "http/conn.h", "http/fields.h", "http/trace.h"):
        write(f"src/{name}", "")
    for name in ("src/net/a.h", "src/server/a.h", "include/herald_error.h"):
        write(name, "")
    write("python/herald/_ext/own.h", "")


@pytest.mark.parametrize(("name", "text"), GOOD_INCLUDES)
def test_includes_along_the_arrows(write: Write, tmp_path: Path, name: str, text: str) -> None:
    lay_headers(write)
    write(name, text)
    assert check_includes.check(tmp_path) == []


@pytest.mark.parametrize(("name", "text", "expected"), BAD_INCLUDES)
def test_includes_against_the_arrows(
    write: Write, tmp_path: Path, name: str, text: str, expected: str
) -> None:
    lay_headers(write)
    write(name, text)
    findings = check_includes.check(tmp_path)
    assert len(findings) == 1
    assert expected in findings[0]


def function(name: str, body: str) -> str:
    return f"int {name}(int a, int b)\n{{\n{body}    return 0;\n}}\n"


needs_ctags = pytest.mark.skipif(shutil.which("ctags") is None, reason="ctags is missing")


@needs_ctags
def test_functions_within_the_caps(write: Write, tmp_path: Path) -> None:
    longest = function("longest", "    a++;\n" * 76)
    branching = function("branching", "    if (a)\n        b++;\n" * 19)
    write("src/h2/a.c", longest + branching + function("text", '    a = "? && if for";\n' * 25))
    assert check_functions.check(tmp_path) == []
    found = {f.name: f for f in check_functions.functions_of(tmp_path, [tmp_path / "src/h2/a.c"])}
    assert found["longest"].length == 80
    assert found["branching"].complexity == 20
    assert found["text"].complexity == 1


@needs_ctags
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("    a++;\n" * 77, "81 lines (at most 80)"),
        ("    if (a)\n        b++;\n" * 20, "complexity 21 (at most 20)"),
        ("    a = b ? 1 : a && b;\n" * 10, "complexity 21 (at most 20)"),
        ("    LIST_FOR_EACH_SAFE(a, b, c) {}\n" * 20, "complexity 21 (at most 20)"),
        ("    switch (a) {\n" + "    case 1: b++;\n" * 20 + "    }\n", "complexity 21"),
    ],
)
def test_functions_over_a_cap(write: Write, tmp_path: Path, body: str, expected: str) -> None:
    write("src/h2/a.c", "int before;\n" + function("wrong", body))
    findings = check_functions.check(tmp_path)
    assert len(findings) == 1
    assert findings[0].startswith("src/h2/a.c:2: wrong: ")
    assert expected in findings[0]


@needs_ctags
def test_allowed_functions_need_a_reason_and_a_use(write: Write, tmp_path: Path) -> None:
    write("src/h2/a.c", function("wrong", "    a++;\n" * 90))
    write("tools/long_functions.txt", "# comment\nsrc/h2/a.c wrong a table in disguise\n")
    assert check_functions.check(tmp_path) == []
    write("tools/long_functions.txt", "src/h2/a.c wrong\n")
    assert len(check_functions.check(tmp_path)) == 2
    write("src/h2/a.c", function("wrong", ""))
    write("tools/long_functions.txt", "src/h2/a.c wrong was long\n")
    assert check_functions.check(tmp_path) == [
        "tools/long_functions.txt: src/h2/a.c wrong is within the caps or gone; remove the line"
    ]


@pytest.mark.parametrize("name", sorted(check_banned.BANNED))
def test_banned_everywhere(write: Write, tmp_path: Path, name: str) -> None:
    write("tests/unit/h2/a.c", f"\nint x = {name} (1);\n")
    findings = check_banned.check(tmp_path)
    assert len(findings) == 1
    assert findings[0].startswith(f"tests/unit/h2/a.c:2: {name} ")


@pytest.mark.parametrize(
    ("path", "call", "bad"),
    [
        ("src/server/a.c", "abort()", True),
        ("src/cli/a.c", "exit(1)", False),
        ("tests/unit/a.c", "exit(1)", False),
        ("src/h2/a.c", "clock_gettime(1)", True),
        ("src/http/a.c", "send(1)", True),
        ("src/net/a.c", "send(1)", False),
        ("src/h2/a.c", "1;\nstatic int send(int a);\nint y = send(1)", False),
        ("src/h2/a.c", "engine->send(1)", False),
        ("src/h2/a.c", "engine.send(1)", False),
        ("src/h2/a.c", "h2_send(1)", False),
        ("src/h2/a.c", "0 /* strcpy(a, b) */", False),
        ("src/h2/a.c", '"strcpy(a, b)"', False),
    ],
)
def test_banned_by_module(write: Write, tmp_path: Path, path: str, call: str, bad: bool) -> None:
    write(path, f"int x = {call};\n")
    assert bool(check_banned.check(tmp_path)) == bad


def lay_lists(write: Write) -> None:
    write("src/h2/meson.build", "h2_sources = files(\n  'a.c', # 'b.c'\n)\n")
    write("src/h2/a.c", "")
    write("tests/unit/h2/meson.build", "h2_tests = [\n  'a',\n]\nh2_test_deps = [z]\n")
    write("tests/unit/h2/test_a.c", "")
    write("tests/fuzz/meson.build", "fuzz_targets = {\n  'a': ['h2'],\n}\n")
    write("tests/fuzz/fuzz_a.c", "")


def test_sources_all_listed(write: Write, tmp_path: Path) -> None:
    lay_lists(write)
    assert check_sources.check(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("src/h2/b.c", "src/h2/meson.build: b.c is not listed"),
        ("src/h2/deep/c.c", "src/h2/meson.build: deep/c.c is not listed"),
        ("tests/unit/h2/test_b.c", "tests/unit/h2/meson.build: b is not listed"),
        ("tests/fuzz/fuzz_b.c", "tests/fuzz/meson.build: b is not listed"),
        ("python/herald/_ext/x.c", "python/meson.build: x.c is not listed"),
    ],
)
def test_sources_forgotten(write: Write, tmp_path: Path, name: str, expected: str) -> None:
    lay_lists(write)
    write(name, "")
    assert check_sources.check(tmp_path) == [expected]


@pytest.mark.parametrize("name", ["src/h2/a.c", "tests/unit/h2/test_a.c", "tests/fuzz/fuzz_a.c"])
def test_sources_listed_but_gone(write: Write, tmp_path: Path, name: str) -> None:
    lay_lists(write)
    (tmp_path / name).unlink()
    findings = check_sources.check(tmp_path)
    assert len(findings) == 1
    assert "does not exist" in findings[0]


@pytest.mark.skipif(check_format.find_formatter() is None, reason="clang-format is missing")
def test_format(write: Write, tmp_path: Path) -> None:
    formatter = check_format.find_formatter()
    assert formatter is not None
    shutil.copy(ROOT / ".clang-format", tmp_path)
    write("src/h2/a.c", "int a(void)\n{\n    return 0;\n}\n")
    assert check_format.check(tmp_path, formatter) == []
    write("src/h2/b.c", "int a(void)\n{\n  return 0;\n}\n")
    assert check_format.check(tmp_path, formatter) == [
        "src/h2/b.c:3: clang-format would change this"
    ]


def test_features(write: Write, tmp_path: Path) -> None:
    write("tests/expected_features.txt", "# comment\nthere\n\nabsent\nunheard-of\n")
    probes = {"there": lambda: True, "absent": lambda: False, "unlisted": lambda: False}
    assert check_features.check(tmp_path, probes) == (
        ["tests/expected_features.txt: no probe for 'unheard-of'"],
        ["absent"],
    )


def test_missing_features_fail_only_in_ci(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check_features, "PROBES", dict.fromkeys(check_features.PROBES, bool))
    monkeypatch.setenv("CI", "true")
    assert check_features.main() == 1
    assert "missing: chromium" in capsys.readouterr().out
    monkeypatch.delenv("CI")
    assert check_features.main() == 0
    assert "warning: chromium is missing" in capsys.readouterr().out


@pytest.mark.parametrize("probe", ["address-sanitizer", "ctags", "node-http2", "uvloop"])
def test_probes_survive_missing_programs(monkeypatch: pytest.MonkeyPatch, probe: str) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    assert check_features.PROBES[probe]() is False


def test_checks_run_as_programs() -> None:
    for name in ("check_includes", "check_banned", "check_sources"):
        done = subprocess.run(
            [sys.executable, str(ROOT / "tools" / f"{name}.py")], capture_output=True, text=True
        )
        assert done.stdout.splitlines()[-1].startswith(f"{name}: ")
        assert done.returncode == (0 if done.stdout.endswith("clean\n") else 1)

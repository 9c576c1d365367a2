"""What ./dev, the set-up and the documents say is so."""

from __future__ import annotations

import re
import subprocess

import pytest

from checks import ROOT

WORDS = "setup build serve test lint format fuzz bench attack clean help".split()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(ROOT / "dev"), *arguments], capture_output=True, text=True)


@pytest.mark.parametrize("arguments", [(), ("help",), ("--help",)])
def test_the_words_are_listed_with_a_line_each(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.returncode == 0
    assert done.stderr == ""
    listed = re.findall(r"^\./dev (\w+).{2,}", done.stdout, re.MULTILINE)
    assert listed == WORDS


def test_an_unknown_word_is_a_usage_error() -> None:
    done = run("sevre")
    assert done.returncode == 2
    assert "unknown word 'sevre'" in done.stderr
    assert done.stdout == ""


def test_an_unknown_setup_group_is_a_usage_error() -> None:
    done = subprocess.run([str(ROOT / "tools/setup"), "x"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "unknown group 'x'" in done.stderr


def test_every_requirement_is_pinned() -> None:
    for name in ("tools", "examples", "tests"):
        for line in (ROOT / name / "requirements.txt").read_text().splitlines():
            if line and not line.startswith("#"):
                assert re.fullmatch(r"[\w\-\[\]]+==[\d.]+", line), f"{name}: {line}"


def test_the_readme_tours_folders_that_exist() -> None:
    readme = (ROOT / "README.md").read_text()
    named = re.findall(r"`((?:src|include|python|tests|tools|examples|docs)/[\w/.]*)`", readme)
    assert len(named) > 15
    for name in named:
        assert (ROOT / name).exists(), name
    for folder in (ROOT / "src").iterdir():
        assert f"`src/{folder.name}/`" in readme, f"the tour leaves out src/{folder.name}"


def test_links_between_documents_lead_somewhere() -> None:
    for document in ROOT.glob("*.md"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text()):
            assert (ROOT / target).exists(), f"{document.name}: {target}"

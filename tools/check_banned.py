"""Functions that must not be called: unbounded copies, parsers without errors, exits."""

from __future__ import annotations

import re
from pathlib import Path

from checks import blank, c_files, line_of, run_check

BANNED = {
    "alloca": "grows the stack by what a peer may choose; use an arena",
    "atof": "hides errors; parse digits with span_to_unsigned",
    "atoi": "hides errors; use span_to_unsigned",
    "atol": "hides errors; use span_to_unsigned",
    "atoll": "hides errors; use span_to_unsigned",
    "gets": "has no bound",
    "sprintf": "has no bound; use snprintf or buf_printf",
    "strcat": "has no bound; use a buf",
    "strcpy": "has no bound; use memcpy with a checked length",
    "stpcpy": "has no bound; use memcpy with a checked length",
    "strtok": "keeps hidden state; use span_slice",
    "vsprintf": "has no bound; use vsnprintf",
}
# Ending the process is for the command line to decide; a library returns an error. Tests may.
ENDING = {name: "ends the process; return an error" for name in ("_exit", "abort", "exit")}
# Engines get time, randomness and bytes as arguments.
OUTSIDE = {
    name: "reaches outside; an engine gets it as an argument"
    for name in (
        "accept bind clock_gettime connect getrandom gettimeofday listen open poll printf rand "
        "random recv recvmsg send sendmsg socket time"
    ).split()
}
ENGINES = ("hpack", "http", "h1", "h2", "h3", "ws")


def banned_for(path: str) -> dict[str, str]:
    banned = dict(BANNED)
    parts = path.split("/")
    if parts[0] in ("src", "python") and parts[1] != "cli":
        banned.update(ENDING)
    if parts[0] == "src" and parts[1] in ENGINES:
        banned.update(OUTSIDE)
    return banned


def check(root: Path) -> list[str]:
    findings = []
    for path in c_files(root):
        name = path.relative_to(root).as_posix()
        text = blank(path.read_text())
        banned = banned_for(name)
        # Not after "." or "->" (a member with such a name) and not as part of a longer word.
        pattern = re.compile(rf"(?<![\w.])(?<!->)({'|'.join(banned)})\s*\(")
        for match in pattern.finditer(text):
            word = match.group(1)
            # A file's own static function may have the name of one from outside.
            if word in OUTSIDE and re.search(rf"^static [^;={{}}]*\b{word}\(", text, re.MULTILINE):
                continue
            findings.append(f"{name}:{line_of(text, match.start())}: {word} {banned[word]}")
    return findings


if __name__ == "__main__":
    run_check("check_banned", check)

"""Which module may include which: the arrows of the design, and no others."""

from __future__ import annotations

import re
from pathlib import Path

from checks import blank, c_files, line_of, run_check

# A module may include itself, base, and what is named here; "module/file.h" allows one header.
ARROWS: dict[str, tuple[str, ...]] = {
    "base": (),
    "http": (),
    "hpack": (),
    "h1": ("http",),
    "h2": ("hpack", "http"),
    "h3": ("http",),
    "ws": ("http",),
    "net": ("http/conn.h", "http/endpoint.h", "http/trace.h"),
    "gateway": ("http",),
    "trace": ("hpack", "http"),
    "client": ("http", "net"),
    "bench": ("client", "http", "net"),
    "server": ("client", "http", "net", "trace"),
}
# Composition roots see everything.
ROOTS = ("api", "cli", "python/herald/_ext")
ENGINES = ("hpack", "http", "h1", "h2", "h3", "ws")
# System headers through which an engine could reach the outside world.
ENGINE_BANNED = re.compile(
    r"dirent\.h|fcntl\.h|gnutls/|net/|netdb\.h|netinet/|poll\.h|pthread\.h|signal\.h|"
    r"sys/(epoll|random|select|socket|stat|time|un|wait)\.h|threads\.h|unistd\.h|uv\.h"
)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">\n]+)[">]', re.MULTILINE)


def module_of(path: str) -> str | None:
    if path.startswith("python/herald/_ext/"):
        return "python/herald/_ext"
    parts = path.split("/")
    return parts[1] if parts[0] == "src" and len(parts) > 2 else None


def check_quoted(root: Path, module: str, name: str) -> str | None:
    """Why `module` may not include "name", or None when it may."""
    if (root / "include" / name).is_file():
        return None
    if not (root / "src" / name).is_file():
        if module in ROOTS and (root / module / name).is_file():
            return None
        return "is not a path from src/ or include/"
    target = name.split("/")[0]
    if module in ROOTS or target in (module, "base"):
        return None
    allowed = ARROWS[module]
    if target in allowed or name in allowed:
        return None
    return f"is not allowed: {module} may include {', '.join((*allowed, 'base'))}"


def check(root: Path) -> list[str]:
    findings = []
    for path in c_files(root, ("src", "python")):
        name = path.relative_to(root).as_posix()
        module = module_of(name)
        if module is None or (module not in ARROWS and module not in ROOTS):
            findings.append(f"{name}: its module is not in the table of tools/check_includes.py")
            continue
        text = blank(path.read_text(), keep_strings=True)
        for match in INCLUDE.finditer(text):
            where = f"{name}:{line_of(text, match.start())}: {match.group(2)}"
            if match.group(1) == "<":
                if module in ENGINES and ENGINE_BANNED.match(match.group(2)):
                    findings.append(f"{where} is not allowed: {module} does no I/O")
                continue
            reason = check_quoted(root, module, match.group(2))
            if reason is not None:
                findings.append(f"{where} {reason}")
    return findings


if __name__ == "__main__":
    run_check("check_includes", check)

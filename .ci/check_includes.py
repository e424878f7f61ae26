#!/usr/bin/env python3
"""Reads the #include lines of the library and fails on an arrow between folders that docs/architecture.md does not draw,
on a vendor header outside its backend's folder, and on a header that has grown too long. Usage: check_includes.py"""
import collections
import pathlib
import re
import statistics
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
HEADERS = ROOT / "include" / "moecnn"
MAX_LINES, MAX_MEDIAN = 400, 150

# folder -> the folders that it may include directly; everything these include is allowed too.
ARROWS = {
    "core": [],
    "ops": ["core"],
    "graph": ["ops"],
    "layer": ["graph"],
    "moe": ["layer"],
    "zoo": ["moe"],
    "backend": ["graph"],  # a kernel is a node, lowered: the contract between the two is graph/kernel.hpp
    "detection": ["core"],
    "model": ["backend", "detection"],
    "testing": ["model", "moe"],
    "io": ["core"],
    "data": ["io", "detection"],  # io: annotations in JSON
    "train": ["model", "io", "moe"],  # moe: statistics and warnings about experts
    "analysis": ["train", "data"],
    "report": ["analysis"],
}
TOP = {"moecnn.hpp", "fwd.hpp", "version.hpp"}  # these may include everything and nobody includes the umbrella

VENDORS = {  # pattern of an include -> the only folder below include/moecnn that may have it
    r"(oneapi/)?dnnl": "backend/onednn",
    r"cud(a|nn)|nvrtc|cublas": "backend/cuda",
}


def reachable(folder):
    seen, pending = set(), [folder]
    while pending:
        for target in ARROWS[pending.pop()]:
            if target not in seen:
                seen.add(target)
                pending.append(target)
    return seen


def main():
    problems, lengths, used = [], [], collections.defaultdict(set)
    for header in sorted(HEADERS.rglob("*.hpp")):
        path = header.relative_to(HEADERS)
        lines = header.read_text(encoding="utf-8").splitlines()
        lengths.append(len(lines))
        if len(lines) > MAX_LINES:
            problems.append(f"{path}: {len(lines)} lines, at most {MAX_LINES}; make it two headers")
        if not any(line.strip() == "#pragma once" for line in lines):
            problems.append(f"{path}: no #pragma once")
        folder = path.parts[0] if len(path.parts) > 1 else ""
        if folder and folder not in ARROWS:
            problems.append(f"{path}: folder {folder} is not part of the architecture")
            continue
        if not folder and path.name not in TOP:
            problems.append(f"{path}: only {', '.join(sorted(TOP))} lie at the top")
        for number, line in enumerate(lines, 1):
            match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            if not match:
                continue
            kind, name = match.groups()
            where = f"{path}:{number}"
            for pattern, home in VENDORS.items():
                inside = str(path).startswith(home + "/") or str(path) == home + ".hpp"
                if re.match(pattern, name) and not inside:
                    problems.append(f"{where}: vendor header {name} is allowed only in {home}/")
            if kind == "<":
                if name.startswith("moecnn/"):
                    problems.append(f'{where}: write #include "{name}", with quotes')
                continue
            if not name.startswith("moecnn/"):
                problems.append(f'{where}: "{name}" must be written from the root, "moecnn/…"')
                continue
            target = name.split("/")[1]
            if not (HEADERS.parent / name).exists():
                problems.append(f"{where}: {name} does not exist")
            elif target == "moecnn.hpp":
                problems.append(f"{where}: nothing in the library includes the umbrella")
            elif target in TOP or not folder or target == folder:
                continue
            elif target not in reachable(folder):
                problems.append(f"{where}: {folder} must not include {target} (allowed: "
                                f"{', '.join(sorted(reachable(folder))) or 'nothing'})")
            else:
                used[folder].add(target)

    median = statistics.median(lengths)
    if median > MAX_MEDIAN:
        problems.append(f"the median header has {median:.0f} lines, at most {MAX_MEDIAN}")
    for problem in problems:
        print(f"include/moecnn/{problem}" if ":" in problem.split(" ")[0] else problem, file=sys.stderr)
    print(f"{len(lengths)} headers, median {median:.0f} lines, longest {max(lengths)}; "
          f"{sum(map(len, used.values()))} arrows between folders; {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Checks that the code in the documentation is compiled code and that links lead somewhere. Usage: check_docs.py [--fix]

A block of a .md file under a line `<!-- docs: NAME -->` must equal the lines between the two `// [NAME]` markers of a file
in tests/docs/ or examples/, which the test build compiles. --fix copies the code into the documents."""
import pathlib
import re
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
SOURCES = sorted([*(ROOT / "tests" / "docs").rglob("*.[ch]pp"), *(ROOT / "examples").glob("*.cpp")])
BLOCK = re.compile(r"^<!-- docs: (?P<name>\S+) -->\n```cpp\n(?P<code>.*?)^```$", re.M | re.S)
LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")


def regions():
    found, problems = {}, []
    for source in SOURCES:
        opened = {}
        lines = source.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines):
            match = re.match(r"\s*// \[([\w-]+)\]\s*$", line)
            if not match:
                continue
            name = match.group(1)
            if name not in opened:
                opened[name] = number
            elif name in found:
                problems.append(f"{source.relative_to(ROOT)}:{number + 1}: region [{name}] is there twice")
            else:
                found[name] = textwrap.dedent("\n".join(lines[opened[name] + 1:number])).strip("\n") + "\n"
        for name in opened.keys() - found.keys():
            problems.append(f"{source.relative_to(ROOT)}: region [{name}] is not closed")
    return found, problems


def main():
    fix = "--fix" in sys.argv[1:]
    code, problems = regions()
    shown = set()
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        place = document.relative_to(ROOT)

        def check(match):
            name = match["name"]
            shown.add(name)
            if name not in code:
                problems.append(f"{place}: no source has a region [{name}]")
            elif match["code"] != code[name]:
                if fix:
                    return f"<!-- docs: {name} -->\n```cpp\n{code[name]}```"
                problems.append(f"{place}: block '{name}' differs from the compiled code; run .ci/check_docs.py --fix")
            return match[0]

        changed = BLOCK.sub(check, text)
        if changed != text:
            document.write_text(changed, encoding="utf-8")
        for match in LINK.finditer(re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.S)):
            target = match["target"].partition("#")[0]
            if target and "://" not in target and not (document.parent / target).exists():
                problems.append(f"{place}: the link to {target} leads nowhere")
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(DOCUMENTS)} documents, {len(shown)} blocks of compiled code, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

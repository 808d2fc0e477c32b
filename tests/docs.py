#!/usr/bin/env python3
"""docs.py ROOT COMPILER... - the documentation fits the headers.

Every public header has a page in docs/man, which names all functions, macros and
options that the header declares; every example and every piece of C in README.md and
docs compiles; and what a page refers to is there.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(sys.argv[1])
COMPILE = sys.argv[2:]
PAGES = ROOT / "docs/man"
HEADERS = sorted((ROOT / "api/include/cadre").glob("*.h"))
# What only other headers use, or is described with what it is part of.
WITHOUT_PAGE = {"macros", "message", "type"}
SYSTEM_PAGES = {"dlopen", "exit", "flock", "lstopo", "mpirun", "nohup"}


def page_of(header):
    return PAGES / f"cadre_{header.stem}.3"


def documented(headers):
    return [h for h in headers if h.stem not in WITHOUT_PAGE]


def declared(header):
    """Functions, and macros that are meant for users: no underscore at the end."""
    text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
    functions = re.findall(r"^CADRE_API\s[^;({]*?(\w+)\s*\(", text, flags=re.M)
    macros = re.findall(r"^#define\s+(\w+[^\W_])\b", text, flags=re.M)
    return {n for n in functions + macros if not n.endswith("_H")} - {
        "CADRE_API",
        "CADRE_PRINTF",
    }


def options(header):
    """What may be set: fields of the structs that users fill in."""
    text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
    structs = re.findall(
        r"^struct cadre_(?:\w+_options|map) \{(.*?)^\}", text, re.M | re.S
    ) + re.findall(
        r"^#define CADRE_COMMON_OPTIONS(.*?[^\\])\n", text, re.M | re.S
    )
    fields = [f.strip("\\ \n") for s in structs for f in s.split(";")]
    return {re.findall(r"\w+", f)[-1] for f in fields if f} - {"CADRE_COMMON_OPTIONS"}


def every_header_has_a_page():
    return [
        f"{h.name}: there is no {page_of(h).name}"
        for h in documented(HEADERS)
        if not page_of(h).exists()
    ]


def every_page_names_all_that_its_header_declares():
    return [
        f"{page_of(h).name} does not name {name}"
        for h in documented(HEADERS)
        if page_of(h).exists()
        for name in sorted(declared(h) | options(h))
        if not re.search(rf"\b{name}\b", page_of(h).read_text())
    ]


def example_of(page):
    found = re.search(r"^\.Sh EXAMPLES\n\.Bd -literal\n(.*?)^\.Ed", page, re.M | re.S)
    return found and re.sub(r"\\&", "", found[1]).replace("\\e", "\\")


def complaints(program, *options):
    """What the compiler says of `program`; empty if nothing."""
    run = subprocess.run(
        COMPILE + ["-Wall", "-Wextra", "-Werror", *options]
        + ["-fsyntax-only", "-xc", "-"],
        input=program,
        text=True,
        capture_output=True,
        timeout=60,
    )
    return run.stderr if run.returncode != 0 else ""


def every_example_compiles():
    wrong = []
    for page in sorted(PAGES.glob("*.3")):
        example = example_of(page.read_text())
        said = complaints(example) if example else "there is none"
        if said:
            wrong.append(f"{page.name}: {said}")
    return wrong


def program_of(piece):
    """A piece of C from a text: a program, or what stands outside of functions,
    a line "...", and what stands in one."""
    if re.search(r"^int main\(", piece, re.M):
        return piece
    outside, _, inside = piece.rpartition("\n...\n")
    return (
        "#include <cadre.h>\n#include <mpi.h>\n"
        f"{outside}\nvoid piece(void);\nvoid piece(void)\n{{\n{inside}}}\n"
    )


def every_piece_of_c_compiles():
    wrong = []
    for text in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        pieces = re.findall(r"^```c\n(.*?)^```", text.read_text(), re.M | re.S)
        for piece in pieces:
            said = complaints(program_of(piece), "-Wno-unused")
            if said:
                wrong.append(f"{text.name}: {said}")
    return wrong


def every_reference_leads_somewhere():
    names = {p.stem for p in PAGES.glob("*.[1-9]")} | SYSTEM_PAGES
    for page in PAGES.glob("*.3"):
        head = page.read_text().split(".Sh SYNOPSIS")[0]
        names |= set(re.findall(r"^\.Nm (\w+)", head, re.M))
    return [
        f"{page.name}: nobody is called {name}"
        for page in sorted(PAGES.glob("*.[1-9]"))
        for name in re.findall(r"^\.Xr (\S+)", page.read_text(), re.M)
        if name not in names
    ]


def main():
    failed = 0
    tests = [
        every_header_has_a_page,
        every_page_names_all_that_its_header_declares,
        every_example_compiles,
        every_piece_of_c_compiles,
        every_reference_leads_somewhere,
    ]
    for test in tests:
        wrong = test()
        failed += bool(wrong)
        for line in wrong:
            print(f"{test.__name__}: {line}")
    print(f"docs: {len(tests) - failed} passed, {failed} failed")
    return failed != 0


sys.exit(main())

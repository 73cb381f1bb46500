#!/usr/bin/python3 -IS
"""Makes of a file of this tree what Doxygen reads, for the site.

Markdown: headings get labels, links between pages become references to them, and links to files that are not part of the site become their
text. Headers: plain comments become documentation, examples in them code.

Doxygen runs it once a file: it begins without what it does not need. Usage: filter.py FILE
"""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def page_label(path):
    """README.md -> page_README_md; the first page is Doxygen's main page."""
    return "mainpage" if path == "README.md" else "page_" + re.sub(r"[^A-Za-z0-9]", "_", path)


def slug(heading):
    """As GitHub makes anchors of headings."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def section_label(path, anchor):
    return page_label(path) + "_" + re.sub(r"[^a-z0-9]", "_", anchor)


def is_page(path):
    return path.endswith(".md") and (path in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "src/README.md") or path.startswith("docs/"))


def is_header(path):
    return path.startswith("include/plimsoll/")


def link(match, path):
    text, target = match[1], match[2]
    if re.match(r"[a-z]+:", target):
        return match[0]
    file, _, anchor = target.partition("#")
    there = os.path.normpath(os.path.join(os.path.dirname(path), file)) if file else path
    if not os.path.exists(os.path.join(ROOT, there)):
        return f"[{text}](@ref no_file_{page_label(there)})"  # which Doxygen complains of
    if is_page(there):
        return f"[{text}](@ref {section_label(there, anchor) if anchor else page_label(there)})"
    if is_header(there):
        return f"[{text}](@ref {os.path.basename(there)})"
    return text


def code(match):
    """A code span that Doxygen would end too early (at a quote, at the bar of a table) is written in HTML."""
    text = match[1].replace("\\|", "|")
    if "'" not in text and "|" not in text:
        return match[0]
    text = re.sub(r"[\\|@#%\"&<>]", lambda one: "\\" + one[0], text)
    return "<code>" + text.replace("--", "\\--") + "</code>"


def markdown(path, lines):
    fenced = False
    for number, line in enumerate(lines):
        if line.startswith("```"):
            fenced = not fenced
        elif not fenced:
            heading = re.match(r"(#+) (.*)", line)
            if heading:
                label = page_label(path) if number == 0 else section_label(path, slug(heading[2]))
                line = f"{heading[1]} {heading[2]} {{#{label}}}"
            else:
                line = re.sub(r"`([^`]+)`", code, line)
                line = re.sub(r"\[([^][]*)\]\(([^()\s]*)\)", lambda match: link(match, path), line)
        yield line


def header(path, lines):
    leading = True
    yield "/** @file"
    for line in lines:
        if leading and line.startswith("//"):
            # Examples are indented by three blanks or more.
            yield ("     " if line.startswith("//   ") else "") + line[3:]
            continue
        if leading:
            leading = False
            yield "*/"
        line = re.sub(r"^(\s*)// (?!namespace)", r"\1/// ", line)
        if re.match(r"\s*(struct|class) \w+;", line):  # a declaration has no documentation
            line = re.sub(r"\s*//.*", "", line)
        yield re.sub(r"^(\s*[^/\s].*[;,}])\s*// (?!NOLINT)", r"\1 ///< ", line)


def main(file):
    path = os.path.relpath(os.path.abspath(file), ROOT)
    with open(file) as text:
        lines = text.read().splitlines()
    print("\n".join((markdown if path.endswith(".md") else header)(path, lines)))


main(sys.argv[1])

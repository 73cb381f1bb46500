#!/usr/bin/env python3
"""Compares the pages of docs/commands with what the program's --help says, in both directions.

There is a page for the program and for each of its commands, and no other; a page begins with the command's own summary; its synopsis names
every argument; its options are those of the command and of the commands below it. A bullet that links to another section stands for the
options there. Every page has the sections that readers look for, and an example.

Usage: command_pages.py PROGRAM FOLDER
"""
import os
import re
import subprocess
import sys

SECTIONS = ["Synopsis", "Description", "Options", "JSON", "Examples", "Errors"]


class Help:
    """What `plimsoll PATH --help` says."""

    def __init__(self, program, path):
        text = subprocess.run([program, *path, "--help"], check=True, capture_output=True, text=True).stdout
        self.summary = text.splitlines()[0]
        self.options, self.arguments, self.commands = set(), [], []
        part = ""
        for line in text.splitlines():
            if re.match(r"\S", line):
                part = line
            elif (word := re.match(r"  (\S+)", line)) is None:
                continue
            elif part in ("Options:", "Options of the store:"):
                self.options |= {re.sub(r"\{.*", "", name) for name in word[1].split(",")}
            elif part == "Positionals:":
                self.arguments.append(word[1])
            elif part == "Subcommands:":
                self.commands.append(word[1])


def sections(text):
    """Heading -> the lines below it."""
    found, heading, fenced = {}, "", False
    for line in text.splitlines():
        fenced ^= line.startswith("```")
        if line.startswith("#") and not fenced:
            heading = line.lstrip("# ")
            found[heading] = []
        elif heading:
            found[heading].append(line)
    return found


def slug(heading):
    return re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")


def options_of(folder, page, anchor):
    """The options in the bullets of one section of a page; links to sections of pages are followed."""
    with open(os.path.join(folder, page)) as file:
        part = next((lines for heading, lines in sections(file.read()).items() if slug(heading) == anchor), None)
    if part is None:
        return {f"no section {page}#{anchor}"}
    options = set()
    for bullet in (line for line in part if line.startswith("- ")):
        named = re.match(r"- ((?:`-[^`]*`(?:, )?)+):", bullet)
        if named:
            options |= {re.match(r"-[-a-z0-9]*", code)[0] for code in re.findall(r"`([^`]*)`", named[1])}
        for other, section in re.findall(r"\]\(([-a-z]*(?:\.md)?)#([-a-z]*)\)", bullet if not named else ""):
            options |= options_of(folder, other or page, section)
    return options


def check_page(program, folder, command, everywhere):
    page = "-".join(["plimsoll", *command]) + ".md"
    helps = [Help(program, command)]
    helps += [Help(program, [*command, below]) for below in helps[0].commands] if command else []
    with open(os.path.join(folder, page)) as file:
        text = file.read()
    parts = sections(text)
    title = " ".join(["plimsoll", *command])
    if not text.startswith(f"# {title}\n\n{helps[0].summary.rstrip('.')}.\n\n"):
        yield f"{page} does not begin with '# {title}', and '{helps[0].summary}.'"
    yield from (f"{page} has no section {name}" for name in SECTIONS if not "".join(parts.get(name, [])))
    if "$ plimsoll " not in text or "--json" not in "".join(parts.get("Examples", []) + parts.get("JSON", [])):
        yield f"{page} has no example, or none with --json"
    synopsis = " ".join(parts.get("Synopsis", []))
    yield from (f"{page}: {argument} is not in the synopsis"
                for one in helps for argument in one.arguments if not re.search(rf"\b{argument}\b", synopsis))
    said, there = options_of(folder, page, "options"), set().union(*(one.options for one in helps))
    if command:
        there -= everywhere
    yield from (f"{page} does not tell of {option}" for option in sorted(there - said))
    yield from (f"{page} tells of {option}, which is not there" for option in sorted(said - there))


def main(program, folder):
    program_help = Help(program, [])
    wanted = {"plimsoll.md"} | {f"plimsoll-{command}.md" for command in program_help.commands}
    there = set(os.listdir(folder))
    problems = [f"no page {page}" for page in sorted(wanted - there)] + [f"{page} is no command's" for page in sorted(there - wanted)]
    with open(os.path.join(folder, "plimsoll.md")) as file:
        overview = file.read()
    for command in [[], *([name] for name in program_help.commands)]:
        page = "-".join(["plimsoll", *command]) + ".md"
        if page in there:
            problems += check_page(program, folder, command, program_help.options)
        if f"]({page})" not in overview and command:
            problems.append(f"plimsoll.md does not name {page}")
    print("\n".join(problems), file=sys.stderr) if problems else print(f"command_pages: {len(wanted)} pages ok")
    return 1 if problems else 0


sys.exit(main(*sys.argv[1:]))

#!/usr/bin/env python3
"""Runs the examples of Markdown pages and compares what they print with what the pages say.

An example is a fenced block whose first line begins with `$ `. Each such line is a command, what follows it is what it prints, on both
standard streams. All examples of a page are one session of bash in an empty folder, where `plimsoll` is the program. A command that fails is
a failure of the test, unless the example handles it, as `|| echo "status $?"` does.

Usage: examples.py [--write] PROGRAM PAGE...      --write: puts what was printed into the pages
"""
import difflib
import os
import subprocess
import sys
import tempfile

MARK = "\x1e"  # between the outputs of two commands


def fenced_blocks(lines):
    """(index of the first line, index behind the last line) of each fenced block."""
    begin = None
    for number, line in enumerate(lines):
        if not line.startswith("```"):
            continue
        if begin is None:
            begin = number + 1
        else:
            yield begin, number
            begin = None


def is_example(lines, begin, end):
    return begin < end and lines[begin].startswith("$ ")


def commands_of(page_lines):
    return [line[2:]
            for begin, end in fenced_blocks(page_lines) if is_example(page_lines, begin, end)
            for line in page_lines[begin:end] if line.startswith("$ ")]


def run(program, commands):
    """A pair for each command: what it printed, its exit status."""
    script = "".join(f"{command}\nprintf '{MARK}%d{MARK}' $?\n" for command in commands)
    with tempfile.TemporaryDirectory(dir=".") as folder:
        with open(os.path.join(folder, ".session"), "w") as file:
            file.write(script)
        bin_folder = os.path.dirname(os.path.abspath(program))
        environment = {"PATH": f"{bin_folder}:/usr/local/bin:/usr/bin:/bin", "HOME": os.path.abspath(folder), "LC_ALL": "C.UTF-8"}
        done = subprocess.run(["bash", ".session"], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    parts = done.stdout.decode(errors="replace").split(MARK)
    return [(parts[i], int(parts[i + 1])) for i in range(0, len(parts) - 1, 2)]


def with_outputs(lines, outputs):
    """The page with these outputs in its examples."""
    new, at, turn = [], 0, iter(outputs)
    for begin, end in fenced_blocks(lines):
        if not is_example(lines, begin, end):
            continue
        new += lines[at:begin]
        for line in lines[begin:end]:
            if line.startswith("$ "):
                new.append(line)
                new += next(turn)[0].splitlines()
        at = end
    return new + lines[at:]


def check(program, page, write):
    """What is wrong with a page's examples, and how many there are."""
    with open(page) as file:
        lines = file.read().splitlines()
    commands = commands_of(lines)
    outputs = run(program, commands) if commands else []
    problems = [f"{page}: `{command}` has status {status}" for command, (_, status) in zip(commands, outputs) if status != 0]
    if len(outputs) < len(commands):
        problems.append(f"{page}: the examples end at `{commands[len(outputs)]}`")
        outputs += [("", 0)] * (len(commands) - len(outputs))
    right = with_outputs(lines, outputs)
    if write:
        with open(page, "w") as file:
            file.write("\n".join(right) + "\n")
    elif right != lines:
        problems += difflib.unified_diff(lines, right, page, "what is printed", lineterm="", n=1)
    return problems, len(commands)


def main(arguments):
    write = arguments[0] == "--write"
    program, *pages = arguments[write:]
    problems, examples = [], 0
    for page in pages:
        found, count = check(program, page, write)
        problems += found
        examples += count
    print("\n".join(problems), file=sys.stderr) if problems else print(f"examples: {examples} commands of {len(pages)} pages ok")
    return 1 if problems or examples == 0 else 0


sys.exit(main(sys.argv[1:]))

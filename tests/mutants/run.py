#!/usr/bin/env python3
"""Plants one defect after the other (*.list beside this file; README.md says how to write one) and sees who notices.
Usage: tests/mutants/run.py [regex of names]...   Environment: JOBS (2). Works in build/mutants; exits 1 if a mutant survived.
       tests/mutants/run.py --check               Only whether each can be planted, and who should notice is there."""
import json, os, pathlib, re, shlex, shutil, subprocess, sys, time

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "build/mutants"
SOURCE, BUILD, CLANG = WORK / "source", WORK / "build", WORK / "clang"
BROKEN = "it does not compile"
SECONDS = int(os.environ.get("SECONDS_MAX", "60"))  # of a test with a mutant: more means that it hangs
ENV = os.environ | {"PLIMSOLL_TEST_SCALE": "0.05", "TSAN_OPTIONS": "halt_on_error=1", "CCACHE_SLOPPINESS": "time_macros"}


class Mutant:
    def __init__(self, block):
        self.fields, old, new = {}, [], []
        lines = block.splitlines()
        self.name = lines[0].strip("[]")
        for line in lines[1:]:
            if line[0] in "- ": old.append(line[1:])
            if line[0] in "+ ": new.append(line[1:])
            if line[0] not in "-+ ":
                key, value = line.split(":", 1)
                self.fields[key] = value.strip()
        self.old, self.new = ("\n" + "\n".join(text) + "\n" if text else "\n" for text in (old, new))
        self.path, self.redundant = SOURCE / self.fields["file"], self.fields.get("redundant")
        fits = ("\n" + (ROOT / self.fields["file"]).read_text()).count(self.old)
        if fits != 1: sys.exit(f"{self.name}: its text is {fits} times in {self.fields['file']}, not once")
        self.detectors = self.fields.get("noticed by", "").split()
        self.clang, self.runs = self.detectors == ["clang"], [d for d in self.detectors if d != "clang"]
        self.tests = [run.split(":")[0] for run in self.runs]

    def plant(self):
        self.text, self.times = self.path.read_text(), self.path.stat()
        self.path.write_text(("\n" + self.text).replace(self.old, self.new)[1:])
        self.restart_build()

    # Of those who include a changed header, only the files named are compiled again: all would take minutes.
    def restart_build(self):
        if "recompile" not in self.fields: return
        os.utime(self.path, ns=(self.times.st_atime_ns, self.times.st_mtime_ns))
        for file in self.fields["recompile"].split(): os.utime(SOURCE / file)

    def pull_out(self):
        self.path.write_text(self.text)
        self.restart_build()


def run(command, log):
    with open(WORK / log, "w") as out:
        return subprocess.run(command, cwd=WORK, env=ENV, stdout=out, stderr=subprocess.STDOUT).returncode


def copy_tree():
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    wanted = {name for name in files if name and (ROOT / name).is_file()}
    for name in wanted:
        to = SOURCE / name
        if to.is_file() and to.read_bytes() == (ROOT / name).read_bytes(): continue
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, to)
    for to in SOURCE.rglob("*"):
        if to.is_file() and str(to.relative_to(SOURCE)) not in wanted: to.unlink()


def configure(folder, preset, *options):
    if run(["cmake", "--preset", preset, "-S", SOURCE, "-B", folder, *options], "configure.log") != 0:
        sys.exit(f"cannot configure: {WORK}/configure.log")


def binary(test):
    return next((BUILD / "tests").glob(f"**/{test}"))


def build(tests):
    return run(["cmake", "--build", BUILD, "-j", os.environ.get("JOBS", "2"), "--target", *tests], "build.log")


# "test" or "test:cases of it".
def run_test(test, log, *wrapper):
    name, _, cases = test.partition(":")
    return run([*wrapper, binary(name), *([f"--gtest_filter={cases}"] if cases else [])], log)


def clang_refuses(path, commands):
    command = next(c for c in commands if c["file"] == str(path))
    arguments = [a for a in shlex.split(command["command"]) if a != "ccache"]
    return run(arguments + ["-fsyntax-only", "-Wthread-safety", "-Werror"], "clang.log") != 0


def noticed(mutant, commands):
    if mutant.clang: return "clang" if clang_refuses(SOURCE / mutant.fields.get("recompile", mutant.fields["file"]), commands) else None
    if build(mutant.tests) != 0: return BROKEN
    for test in mutant.runs:
        code = run_test(test, "test.log", "timeout", "-k", "5", str(SECONDS))
        if code != 0:
            log = (WORK / "test.log").read_text(errors="replace")
            how = re.search(r"\[  FAILED  \] (\w+\.\w+)|ThreadSanitizer: [\w ]+|check failed: .*", log)
            return f"{test}: {'time out' if code == 124 else how.group(0).strip() if how else 'aborted'}"
    return None


def main():
    blocks = [b for f in sorted(pathlib.Path(__file__).parent.glob("*.list")) for b in re.split(r"\n+(?=\[)", f.read_text())]
    every = [Mutant(b) for b in blocks if b.startswith("[")]
    check_only = sys.argv[1:] == ["--check"]
    chosen = [m for m in every if check_only or not sys.argv[1:] or any(re.search(p, m.name) for p in sys.argv[1:])]
    if len({m.name for m in every}) != len(every) or not chosen: sys.exit("mutants need a name each, and some must be chosen")
    there = {f"{file.parent.name}_{file.stem}" for file in (ROOT / "tests").rglob("*_test.cpp")}
    there |= {t for f in (ROOT / "tests").rglob("CMakeLists.txt") for t in re.findall(r"plimsoll_test\((\w+)", f.read_text())}
    missing = sorted({t for m in every for t in m.tests} - there)
    if missing: sys.exit(f"no such tests: {' '.join(missing)}")
    if check_only: return print(f"{len(every)} mutants can be planted")
    SOURCE.mkdir(parents=True, exist_ok=True)
    copy_tree()
    commands = []
    if any(m.clang for m in chosen):
        configure(CLANG, "clang")
        commands = json.loads((CLANG / "compile_commands.json").read_text())
        for path in sorted({SOURCE / m.fields.get("recompile", m.fields["file"]) for m in chosen if m.clang}):
            if clang_refuses(path, commands): sys.exit(f"clang refuses {path} as it is: {WORK}/clang.log")
    tests = sorted({t for m in chosen if not m.redundant for t in m.tests})
    if tests:
        configure(BUILD, "tsan", "-DPLIMSOLL_CLI=ON")
        if build(tests) != 0: sys.exit(f"cannot build: {WORK}/build.log")
        for test in sorted({r for m in chosen if not m.redundant for r in m.runs}):
            log = f"{test.split(':')[0]}.log"
            if run_test(test, log) != 0: sys.exit(f"{test} fails without a mutant: {WORK}/{log}")
            if "Running 0 tests" in (WORK / log).read_text(errors="replace"): sys.exit(f"{test}: there is no such case")
    counts = {"noticed": 0, "redundant": 0, "BROKEN": 0, "SURVIVED": 0}
    for mutant in chosen:
        start, by = time.monotonic(), None
        if not mutant.redundant:
            mutant.plant()
            try: by = noticed(mutant, commands)
            finally: mutant.pull_out()
        outcome = "redundant" if mutant.redundant else "BROKEN" if by == BROKEN else "noticed" if by else "SURVIVED"
        counts[outcome] += 1
        print(f"{outcome:9}  {mutant.name:44}  {mutant.redundant or by or ''}  ({time.monotonic() - start:.0f} s)", flush=True)
    print(f"{len(chosen)} mutants: " + ", ".join(f"{n} {what}" for what, n in counts.items()))
    sys.exit(counts["SURVIVED"] + counts["BROKEN"] != 0)


main()

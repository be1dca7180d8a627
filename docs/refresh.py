"""Run the examples of the documents and write what they print: ``python docs/refresh.py``.

A ``python`` block is a script; the ``text`` block right after it is all that it prints. A ``pycon``
block is a session, as in a docstring. The blocks of one document share their names, from top to
bottom, and a warning is an error. The tables are written too. With ``--check`` nothing
is written: the exit status is 1 if something would change.
"""

import contextlib
import doctest
import io
import re
import runpy
import sys
import warnings
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TABLES = {
    ROOT / "docs" / "primitives.md": ROOT / "docs" / "make_primitives_table.py",
    ROOT / "docs" / "functions.md": ROOT / "docs" / "make_functions_table.py",
    ROOT / "docs" / "costs.md": ROOT / "docs" / "make_costs_table.py",
    ROOT / "docs" / "design" / "modules.md": ROOT / "docs" / "make_modules_table.py",
}
PROSE = {ROOT / "docs" / "design" / name for name in ("decisions.md", "planning.md")}

SCRIPT = r"```python\n(?P<code>.*?)```\n(?:\n```text\n(?P<printed>.*?)```\n)?"
SESSION = r"```pycon\n(?P<session>.*?)```\n"
BLOCK = re.compile(f"^(?:{SCRIPT}|{SESSION})", re.MULTILINE | re.DOTALL)


def documents() -> list[Path]:
    """Pages with examples: all but the generated ones, and prose."""
    pages = [*sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("docs/design/*.md"))]
    return [ROOT / "README.md", *(p for p in pages if p not in TABLES and p not in PROSE)]


def refreshed(text: str, name: str) -> str:
    """Return the text of a document with what its examples print now."""
    names: dict[str, Any] = {"__name__": "__main__"}

    def run(block: re.Match[str]) -> str:
        line = text.count("\n", 0, block.start()) + 2
        if block["code"] is None:
            return f"```pycon\n{run_session(block['session'], names, name, line)}```\n"
        printed = run_script(block["code"], names, name, line)
        output = f"\n```text\n{printed}```\n" if printed else ""
        return f"```python\n{block['code']}```\n{output}"

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return BLOCK.sub(run, text)


def run_script(code: str, names: dict[str, Any], name: str, line: int) -> str:
    """Run a script; return what it prints."""
    printed = io.StringIO()
    program = compile("\n" * (line - 1) + code, name, "exec")
    with contextlib.redirect_stdout(printed):
        exec(program, names)
    return printed.getvalue()


class _Recorder(doctest.DocTestRunner):
    """Keeps what each example prints, right or wrong; an error that is not expected goes on."""

    def __init__(self) -> None:
        super().__init__(verbose=False)
        self.got: dict[int, str] = {}

    def report_success(self, _out: Any, _test: Any, example: Any, _got: str) -> None:
        """Keep what was expected: it is what came."""
        self.got[example.lineno] = example.want

    def report_failure(self, _out: Any, _test: Any, example: Any, got: str) -> None:
        """Keep what came instead."""
        if got.startswith("Traceback (most recent call last):\n"):
            got = "Traceback (most recent call last):\n" + got.rstrip().rsplit("\n", 1)[-1] + "\n"
        self.got[example.lineno] = re.sub(r"(?m)^[ ]*(?=\n)", "<BLANKLINE>", got)

    def report_unexpected_exception(
        self, _out: Any, test: Any, example: Any, exc_info: tuple[Any, BaseException, Any]
    ) -> None:
        """Stop: the example does not work any more."""
        exc_info[1].add_note(f"in {test.filename}, line {test.lineno + example.lineno}")
        raise exc_info[1]


def run_session(session: str, names: dict[str, Any], name: str, line: int) -> str:
    """Run a session; return it with what it prints."""
    parser, recorder = doctest.DocTestParser(), _Recorder()
    parts = parser.parse(session, name)
    examples = [part for part in parts if isinstance(part, doctest.Example)]
    test = doctest.DocTest(examples, names, name, name, line, session)
    test.globs = names  # not a copy: the next block goes on from here
    recorder.run(test, out=lambda _: None, clear_globs=False)
    lines = session.splitlines(keepends=True)
    result = []
    for part in parts:
        if isinstance(part, str):
            result.append(part)
            continue
        height = part.source.count("\n")
        result += lines[part.lineno : part.lineno + height]
        result.append(recorder.got[part.lineno])
    return "".join(result)


def wanted() -> dict[Path, str]:
    """Return what every document should say."""
    tables = {path: runpy.run_path(str(script))["page"]() for path, script in TABLES.items()}
    pages = {p: refreshed(p.read_text("utf-8"), p.name) for p in documents()}
    return {**pages, **tables}


def main(arguments: list[str]) -> int:
    """Write, or only compare; the exit status."""
    status = 0
    for path, text in wanted().items():
        if path.exists() and path.read_text("utf-8") == text:
            continue
        if arguments == ["--check"]:
            sys.stderr.write(f"{path.name} is not up to date: python docs/refresh.py\n")
            status = 1
        else:
            path.write_text(text, "utf-8")
            sys.stderr.write(f"wrote {path.name}\n")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Write the way through the modules, `docs/design/modules.md`, from layers and docstrings."""

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "eingrad"

HEAD = """\
# All modules

[How a derivative is computed](../how-a-derivative-is-computed.md) leads through the modules that a
derivative goes through. This page has all of `src/eingrad`, top to bottom: a module imports from
groups below its own, never from above or beside. It is generated from the list of layers in
`pyproject.toml`, and the first line of each docstring, by `python docs/refresh.py`. What begins
with an underscore is private.

"""


def page() -> str:
    """Return the whole page."""
    return HEAD + "\n".join(line for layer in layers() for line in lines_of(layer)) + "\n"


def layers() -> list[list[str]]:
    """List the modules of each layer, top to bottom; in the end the package itself."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    whole = next(c for c in contracts["contracts"] if c.get("containers") == ["eingrad"])
    named = [re.findall(r"\w+", layer) for layer in whole["layers"]]
    return [["__init__"], *(names for names in named if any(map(exists, names)))]


def exists(name: str) -> bool:
    """Whether there is such a module: a layer may name one that is yet to come."""
    return (SOURCE / name).is_dir() or (SOURCE / f"{name}.py").is_file()


def lines_of(layer: list[str]) -> list[str]:
    """Write an item for each module of a layer, and for those within a package below it."""
    lines = []
    for name in filter(exists, layer):
        lines.append(item(SOURCE / name, name))
        if (SOURCE / name).is_dir():
            lines += [f"  {item(path, within(path, name))}" for path in parts(SOURCE / name)]
    return [*lines, ""]


def parts(package: Path) -> list[Path]:
    """Find the modules of a package, and of packages in it, each after the package it is in."""
    found = [p.parent if p.name == "__init__.py" else p for p in package.rglob("*.py")]
    return sorted(path for path in found if path != package)


def within(path: Path, package: str) -> str:
    """Name a module as it is called within its package."""
    return path.relative_to(SOURCE / package).with_suffix("").as_posix()


def item(path: Path, name: str) -> str:
    """Say what a module is, by the first line of its docstring."""
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    said = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
    return f"- `{name}`: {said.partition(chr(10))[0]}"


if __name__ == "__main__":
    (ROOT / "docs" / "design" / "modules.md").write_text(page(), "utf-8")

"""`make check`: sizes that ask to be two ideas, and words that ask to be a concept."""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
MOST_FILE_LINES = 300
MOST_FUNCTION_LINES = 40
LARGER_FILES = {
    "gateway_core/storage/tables.py": 600
}  # one file on purpose: who has read it knows the product
NAMELESS = ("util", "helper", "common", "misc", "manager", "service")


def faults() -> list[str]:
    found = []
    for package in ("gateway_core", "mailgate"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if "migrations" not in path.parts:
                found += _faults_of(path, path.relative_to(ROOT).as_posix())
    return found


def _faults_of(path: Path, name: str) -> list[str]:
    text = path.read_text(encoding="utf-8")
    lines = text.count("\n")
    found = []
    if lines > LARGER_FILES.get(name, MOST_FILE_LINES):
        found.append(f"{name}: {lines} lines")
    if any(word in path.stem for word in NAMELESS):
        found.append(f"{name}: name the concept")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MOST_FUNCTION_LINES:
                found.append(f"{name}:{node.lineno}: {node.name} has {length} lines")
    return found


if __name__ == "__main__":
    wrong = faults()
    print("\n".join(wrong) or "sizes and names: fine")
    sys.exit(bool(wrong))

"""The rules of the package: which room may import which, which names are unique, and that imports have no effect."""

import ast
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

import sidlive
from sidlive import sources

PACKAGE = Path(sidlive.__file__).parent
ROOMS_IN_ORDER = ["chip", "tune", "model", "live", "docs", "studio", "bench", "commands"]
MODULES = sorted(PACKAGE.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Return the dotted names that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_rooms_import_only_from_earlier_rooms(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0]
    later = ROOMS_IN_ORDER[ROOMS_IN_ORDER.index(room) + 1 :] if room in ROOMS_IN_ORDER else ROOMS_IN_ORDER
    if room in ("cli.py", "__main__.py"):
        return
    for name in imported(path):
        parts = name.split(".")
        assert not (parts[0] == "sidlive" and len(parts) > 1 and parts[1] in [*later, "cli"]), f"{path} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_studio_imports_textual(path: Path) -> None:
    if path.relative_to(PACKAGE).parts[0] != "studio":
        assert not any(name.split(".")[0] == "textual" for name in imported(path))


def test_no_two_classes_share_a_name() -> None:
    places = defaultdict(list)
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path.relative_to(PACKAGE)))
    assert not {name: where for name, where in places.items() if len(where) > 1}


def test_a_module_shares_its_name_only_with_the_command_or_benchmark_of_the_same_subject() -> None:
    places = defaultdict(list)
    for path in MODULES:
        if path.stem not in ("__init__", "__main__") and path.relative_to(PACKAGE).parts[0] not in (
            "commands",
            "bench",
        ):
            places[path.stem].append(str(path.relative_to(PACKAGE)))
    assert not {name: where for name, where in places.items() if len(where) > 1}


def test_no_module_outside_training_loads_torch() -> None:
    names = []
    for path in MODULES:
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[:2] != ("model", "training") and parts[-1] != "__main__":
            names.append(".".join(("sidlive", *parts)).removesuffix(".__init__"))
    code = (
        f"import importlib, sys\nfor name in {names!r}: importlib.import_module(name)\n"
        "assert 'torch' not in sys.modules, 'torch was imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_training_imports_torch(path: Path) -> None:
    """Programs in string literals, which run in their own processes, are searched too."""
    if path.relative_to(PACKAGE).parts[:2] != ("model", "training"):
        assert not re.search(r"^\s*(import|from) torch\b", path.read_text(encoding="utf-8"), re.MULTILINE)


def test_every_compiled_function_is_a_kernel() -> None:
    """`sidlive.compiling.kernel` caches code under a digest of all its sources; numba's own cache checks one file."""
    makers = {"jit", "njit", "vectorize", "guvectorize", "cfunc", "stencil", "jit_module", "jitclass"}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            found = set()
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "numba":
                found = makers & {alias.name for alias in node.names}
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "numba":
                found = makers & {node.attr}
            assert not found or path == PACKAGE / "compiling.py", f"{path}: use sidlive.compiling.kernel, not {found}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_sources_finds_every_import_without_parsing(path: Path) -> None:
    """A kernel's digest covers these imports. Names in comments and strings may be found too; they do no harm."""
    own = {name for name in imported(path) if name.split(".")[0] == "sidlive"}
    assert own <= sources.imported(path.read_text(encoding="utf-8"))


def test_importing_compiles_nothing_and_opens_nothing() -> None:
    code = (
        "import sidlive.cli, sys\nsidlive.cli.parser()\n"
        "heavy = {'numba', 'torch', 'textual', 'sounddevice', 'supriya_midi'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


ROOT = PACKAGE.parent
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(PACKAGE.glob("docs/*.md"))


@pytest.mark.parametrize("name", ["sidlive.studio.launch", "sidlive.live.session", "sidlive.live.processes.room"])
def test_the_screens_process_loads_nothing_heavy(name: str) -> None:
    code = (
        f"import {name}, sys\nheavy = {{'numba', 'torch', 'scipy', 'sounddevice', 'supriya_midi'}} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_files_named_in_the_documentation_exist(page: Path) -> None:
    if not (ROOT / "README.md").exists():
        pytest.skip("not a checkout")
    named = re.findall(r"(?<!/)(?:sidlive|tests|sessions)/[\w./]*\w", page.read_text(encoding="utf-8"))
    assert not [path for path in named if not (ROOT / path).exists()]


def test_the_repository_names_no_machine_and_no_registry() -> None:
    root = PACKAGE.parent
    listed = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    forbidden = [
        "/wo" + "rk/",
        "py" + "pi.org",
        "file" + "s.pythonhosted",
        "regis" + "try.npmjs",
        "deb.deb" + "ian.org",
    ]
    for name in listed.stdout.split():
        path = root / name
        if path.suffix in {".py", ".md", ".toml", ".txt", ".asm", ".tcss", ""} and path.is_file():
            text = path.read_text(encoding="utf-8", errors="ignore")
            assert not [word for word in forbidden if word in text], name

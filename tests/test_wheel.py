"""The package as users install it: a wheel with all its data, in an environment of its own."""

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("sidlive", "pyproject.toml", "README.md", "LICENSE")
MADE = {".pyc", ".nbc", ".tmp"}  # made by Python and by our kernels beside the sources
PICTURES = {".svg"}  # of the README


def run(*command: object, folder: Path) -> str:
    """Run a program in a folder and return what it prints; its modules come from its own environment only."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(list(map(str, command)), cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a wheel, built from a copy of the sources without the network."""
    pytest.importorskip("setuptools", minversion="77", reason="without setuptools no wheel can be built offline")
    source = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source)
    out = tmp_path_factory.mktemp("wheel")
    pip = (
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "-q",
        "-w",
        out,
        ".",
    )
    run(*pip, folder=source)
    (made,) = out.glob("sidlive-*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the folder of the programs of an environment with the wheel; it borrows the other packages from ours."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    pip = (sys.executable, "-m", "pip", f"--python={programs / 'python'}")
    run(*pip, "install", "--no-deps", "--no-index", "-q", wheel, folder=folder)
    paths = [path for path in sys.path if path.endswith("site-packages")]
    (site,) = folder.rglob("site-packages")
    (site / "borrowed.pth").write_text("\n".join(paths))
    yield programs


def test_every_file_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    files = [path for path in (ROOT / "sidlive").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    wanted = {path.relative_to(ROOT).as_posix() for path in files if path.suffix not in MADE | PICTURES}
    assert sorted(wanted - inside) == [], "add the suffix to package-data in pyproject.toml"
    assert not {name for name in inside if name.endswith(tuple(MADE)) or name.startswith("tests")}
    assert any(name.endswith("licenses/LICENSE") for name in inside)


def test_the_installed_program_finds_its_data(installed: Path, tmp_path: Path) -> None:
    where = run(installed / "python", "-c", "import sidlive; print(sidlive.__file__)", folder=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parent)
    assert "sidlive" in run(installed / "sidlive", "--version", folder=tmp_path)
    assert "kernels" in run(installed / "sidlive", "docs", "architecture", folder=tmp_path).lower()
    about = json.loads(run(installed / "sidlive", "info", "gallop", "--json", folder=tmp_path))
    assert about["results"]

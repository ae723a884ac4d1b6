"""Keeps a downloaded global configuration on disk so that a crash at any point leaves a whole one.

It refuses to know what the files say. ``trust`` loads it at start and replaces it after each successful download.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from uuid import uuid4

POINTER: Final = "current"


class ConfigurationStore:
    """A directory of generations, and a pointer file that names the one that counts; all calls block on the disk."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def load(self) -> dict[str, bytes]:
        """Read the files of the generation that counts, by relative name; empty when there is none."""
        try:
            root = self._directory / (self._directory / POINTER).read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return {}
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}

    def replace(self, files: Mapping[str, bytes]) -> None:
        """Write a new generation durably, point to it, and remove the others."""
        generation = self._directory / uuid4().hex
        for name, data in files.items():
            _write(generation / name, data)
        temporary = self._directory / f"{POINTER}.new"
        _write(temporary, generation.name.encode("ascii"))
        temporary.replace(self._directory / POINTER)
        _sync(self._directory)
        self._sweep(generation)

    def _sweep(self, keep: Path) -> None:
        for path in self._directory.iterdir():
            if path.is_dir() and path != keep:
                shutil.rmtree(path)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Programs from npm in pinned versions, kept below target/clients. Not for what they are used for."""

import shutil
import subprocess
from pathlib import Path

PACKAGES = Path(__file__).resolve().parent.parent.parent / "target/clients/packages"


class Missing(Exception):
    """A program cannot be had here, and why."""


class Package:
    """One package. Its program is a pattern below node_modules."""

    def __init__(self, name, version, program):
        self.name, self.version, self.program = name, version, program
        self.folder = PACKAGES / f"{name.rpartition('/')[2]}-{version}"

    def __str__(self):
        return f"{self.name} {self.version}"

    def find(self):
        """The program in the cache, if it is there; the one that every processor can run comes last."""
        found = sorted(self.folder.glob(f"node_modules/{self.program}"), key=lambda path: ("baseline" in str(path), str(path)))
        return found[0] if found else None

    def install(self):
        """Puts the pinned version into the cache. Scripts of packages are not run: a platform's package has the program."""
        if found := self.find():
            return found
        if not shutil.which("npm"):
            raise Missing("npm is missing")
        self.folder.mkdir(parents=True, exist_ok=True)
        words = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", self.folder]
        done = subprocess.run([*words, f"{self.name}@{self.version}"], capture_output=True, text=True)
        found = self.find()
        if done.returncode != 0 or not found:
            raise Missing(f"npm cannot install {self}: {(done.stderr or done.stdout).strip()}")
        return found

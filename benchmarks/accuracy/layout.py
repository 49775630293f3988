"""Where a benchmark keeps what: the only place that spells these paths."""

import dataclasses
import pathlib

from benchmarks.accuracy import models

ATLANTA = "atlanta"


@dataclasses.dataclass(frozen=True)
class Layout:
    """Paths below the output folder of a benchmark.

    Attributes:
      output: The folder.
    """

    output: pathlib.Path

    @property
    def world(self) -> pathlib.Path:
        """Of the simulated world that models learn from and are scored on."""
        return self.output / "world"

    @property
    def identity(self) -> pathlib.Path:
        """What this folder was begun with."""
        return self.output / "benchmark.json"

    @property
    def results(self) -> pathlib.Path:
        """Everything measured."""
        return self.output / "results.json"

    @property
    def table(self) -> pathlib.Path:
        """The same, to read."""
        return self.output / "table.md"

    @property
    def examples(self) -> pathlib.Path:
        """What `s2distill.evaluate` draws of test scenes."""
        return self.output / "examples"

    def records(self, name: str) -> pathlib.Path:
        """A record folder by its name in `models`."""
        if name in (models.LABELLED, "unlabelled"):
            return self.world / name
        return self.output / "records" / name

    def unseen_world(self, name: str) -> pathlib.Path:
        """A simulated world unlike the one that was learnt from."""
        return self.output / "unseen" / name

    def model(self, name: str, place: str = "") -> pathlib.Path:
        """Training workdir; `place` is empty or ATLANTA."""
        return self.output / place / "models" / name

    def saved_model(self, name: str, place: str = "") -> pathlib.Path:
        """SavedModel of a trained model."""
        return self.output / place / "saved_models" / name

    def scores(self, name: str, place: str = "") -> pathlib.Path:
        """Sums of every test tile of one model."""
        return self.output / place / "scores" / f"{name}.npz"

    def windows(self, world: str) -> pathlib.Path:
        """How far out of distribution the windows of a world look."""
        return self.output / "windows" / f"{world}.npz"

    def cost(self, network: str, preset: str) -> pathlib.Path:
        """Times and sizes of one network."""
        return self.output / "cost" / f"{network}_{preset}.json"

    def atlanta_records(self, name: str) -> pathlib.Path:
        """Record folders of the real place: "labelled" or "answered"."""
        return self.output / ATLANTA / name

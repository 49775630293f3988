"""What is trained and scored: each model, and what it changes.

All that are compared share one budget, the student among them, which is
trained once more for it: as many steps of as many crops by the same optimizer.
The headline's teacher and student have budgets of their own. A row of the
table is a model here.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from benchmarks.accuracy.preset import BenchmarkPreset

TEACHER = "teacher"
STUDENT = "student"
COMPARISON = "comparison_student"  # the student at their budget

# Record folders, and what writes each: `plan.py`.
LABELLED = "labelled"  # true labels, a quarter of the train scenes
ANSWERED = "answered"  # the teacher's answers, the other scenes
SPOILED = "spoiled"  # labels of which a tenth is wrong or missing
SPOILED_SOFT = "spoiled_soft"  # answers of a teacher of those, the same scenes
SPOILED_ANSWERED = "spoiled_answered"  # and the other scenes
SHIFTED = "shifted"  # labels that lie up to 3 m off


@dataclasses.dataclass(frozen=True, kw_only=True)
class Model:
    """One model of the benchmark.

    Attributes:
      what: Said of it in the table, a few words.
      group: Which part of the table it belongs to.
      records: Record folders it learns from.
      changes: Flags of its training that differ from the student's, or from
        the teacher's for a teacher.
      against: The model it is compared with, tile by tile.
      long: Trained for as many steps as the headline's.
      real: Tuned and scored on real ground too, where there is some.
    """

    what: str
    group: str
    records: tuple[str, ...] = (LABELLED, ANSWERED)
    changes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    against: str | None = COMPARISON
    long: bool = False
    real: bool = False

    @property
    def is_teacher(self) -> bool:
        """True if it looks at 50 cm images."""
        return self.changes.get("network") == TEACHER


def make_models(preset: BenchmarkPreset) -> dict[str, Model]:
    """Name -> model, in the order in which they are trained.

    Args:
      preset: Gives the numbers.
    """
    return {
        **_HEADLINE,
        **_BASELINES,
        **_make_damaged(preset.label_shift_m),
        **_CHOICES,
    }


_HEADLINE = {
    TEACHER: Model(
        what="sees the 50 cm image",
        group="headline",
        records=(LABELLED,),
        changes={"network": TEACHER, "view": True},
        against=None,
        long=True,
        real=True,
    ),
    STUDENT: Model(
        what="labels and the teacher's answers",
        group="headline",
        against=None,
        long=True,
        real=True,
    ),
}
_HARD = {"hard_share": 1.0}
_BASELINES = {
    COMPARISON: Model(
        what="the student with the budget of what follows",
        group="comparison",
        against=None,
        real=True,
    ),
    "hard_label_student": Model(
        what="labels alone",
        group="baselines",
        records=(LABELLED,),
        changes=_HARD,
        real=True,
    ),
    "single_frame_student": Model(
        what="one frame, the clearest",
        group="baselines",
        changes={"frames": 1, "frame_drop": 0.0},
        real=True,
    ),
    **{
        name: Model(
            what=what,
            group="baselines",
            changes={"network": name},
            real=True,
        )
        for name, what in {
            "bicubic_unet": "mean of the frames, enlarged, U-Net",
            "composite_student": "the student's network on a composite",
            "super_resolution_unet": "super-resolve, then segment",
            "u_tae": "plain U-TAE at 10 m, enlarged at its end",
        }.items()
    },
}
# Choices of the method, each changed alone.
_CHOICES = {
    "blind_teacher": Model(
        what="a teacher not told the view angle",
        group="choices",
        records=(LABELLED,),
        changes={"network": TEACHER},
        against=TEACHER,
        long=True,
    ),
    "attention_student": Model(
        what="frames fused by attention",
        group="choices",
        changes={"fusion": "attention"},
    ),
    "late_mean_student": Model(
        what="frames fused once, by their mean",
        group="choices",
        changes={"fusion": "late_mean"},
    ),
    "edge_weight_student": Model(
        what="more weight near edges",
        group="choices",
        changes={"edge_weight": 1.0},
    ),
}


def _make_damaged(label_shift_m: float) -> dict[str, Model]:
    """Models of labels that are wrong, and of labels out of place."""
    return {
        "spoiled_hard_label_student": Model(
            what="labels alone, a tenth of them wrong or missing",
            group="spoiled",
            records=(SPOILED,),
            changes=_HARD,
        ),
        "spoiled_teacher": Model(
            what="the same spoiled labels",
            group="spoiled",
            records=(SPOILED,),
            changes={"network": TEACHER, "view": True},
            against=TEACHER,
        ),
        "spoiled_student": Model(
            what="the answers of that teacher alone",
            group="spoiled",
            records=(SPOILED_SOFT, SPOILED_ANSWERED),
            changes={"hard_share": 0.0},
            against="spoiled_hard_label_student",
        ),
        "shifted_student": Model(
            what=f"labels alone, up to {label_shift_m:g} m out of place",
            group="shifted",
            records=(SHIFTED,),
            changes=_HARD,
            against="hard_label_student",
        ),
        "shifted_aligned_student": Model(
            what="the same, loss at the best of small shifts",
            group="shifted",
            records=(SHIFTED,),
            changes=_HARD | {"label_shift_m": label_shift_m},
            against="shifted_student",
        ),
    }

"""The student fed with one mean composite: what all frames add to their mean.

The same layers and weights as a student's, so that a gap between the two is
owed to what averaging throws away: detail between the frames' pixels, and
change from date to date.
"""

import keras

from s2distill.models.composite import mean_composite
from s2distill.models.student import STUDENT_PRESETS
from s2distill.models.student import StudentConfig
from s2distill.models.student import build_student

COMPOSITE_STUDENT_PRESETS = STUDENT_PRESETS


def build_composite_student(
    bands: int, label_factor: int, config: StudentConfig
) -> keras.Model:
    """The student's network behind a mean composite.

    Args:
      bands: C, number of Sentinel-2 bands.
      label_factor: Label pixels per Sentinel-2 pixel and axis.
      config: Size, of the student.

    Returns:
      Model with the inputs and outputs of `student.build_student`.
    """
    s2 = keras.Input((None, None, None, bands), name="s2")
    frame_valid = keras.Input((None, None, None), name="frame_valid")
    composite, seen = mean_composite(s2, frame_valid)
    student = build_student(bands, label_factor, config)
    # Through `call`, which wires its layers into this model. As one layer of
    # it the student would cast what it is fed to its policy.
    answers = student.call({"s2": composite, "frame_valid": seen})
    return keras.Model(
        {"s2": s2, "frame_valid": frame_valid},
        answers,
        name="composite_student",
    )

r"""Says what is in some files, whether they fit a model, and if not, why.

python -m data_prep.doctor --input='scene/*.tif' --model=saved_model \
    --html=doctor.html

The input is told apart unprompted: a folder of records (or several), an
Earth Engine export in TFRecords (image with its mixer, or table), GeoTIFFs of
Sentinel-2 (one a date, or one file with many dates), or a 50 cm image. Large
inputs are looked at in part, evenly spread, and the answer says how much.

The JSON holds kind, records, shape ([frames, rows, columns, bands], without
frames where there are no dates), bands, crs, transform, frames, nan_share,
findings (code, severity, message, where: faults alone), notes (the same, of
what is no fault), and more. Exit code: 0 when the
input was read, whatever was found, unless --fail_on says otherwise; 1 when it
cannot be read at all, or when something is found that --fail_on names.
"""

import dataclasses
import os
import sys
from typing import TYPE_CHECKING
from typing import Literal

from s2distill.flag_config import flag
from s2distill.flag_config import run_program

if TYPE_CHECKING:
    from data_prep.diagnosis.diagnose import Diagnosis


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Flags of this program."""

    input: tuple[str, ...] = flag(
        help="File, folder or quoted glob; or several folders of records."
    )
    mixer: str = flag(
        "", help="JSON of an Earth Engine export; looked for beside it."
    )
    model: str = flag(
        "", help="Folder of the SavedModel that the input is meant for."
    )
    json: str = flag("", help="File to write everything to, as JSON.")
    html: str = flag(
        "", help="File to write one self-contained page with pictures to."
    )
    file_bands: tuple[str, ...] = flag(
        (),
        help="Bands of GeoTIFFs that do not tell them, in order; - for one "
        "to pass over.",
    )
    look_at: int = flag(
        64, help="At most so many records or patches are measured."
    )
    fail_on: Literal["never", "error", "warning"] = flag(
        "never", help="Exit with 1 if something as bad as this is found."
    )


def run(config: Config) -> "Diagnosis":
    """Opens, measures and judges the input; writes what was asked for.

    Raises:
      S2DistillError: If the input, or the model's card, cannot be read.
    """
    from data_prep.diagnosis.diagnose import diagnose
    from data_prep.diagnosis.open_input import open_input
    from data_prep.diagnosis.table import format_diagnosis

    subject = open_input(
        config.input,
        mixer=config.mixer,
        file_bands=config.file_bands,
        look_at=config.look_at,
    )
    diagnosis = diagnose(subject, config.model)
    sys.stdout.write(format_diagnosis(diagnosis))
    if config.json:
        from data_prep.diagnosis.report import make_report
        from s2distill.atomic_write import write_json

        write_json(config.json, make_report(diagnosis))
    if config.html:
        _write_page(config.html, diagnosis)
    return diagnosis


def _write_page(path: str, diagnosis: "Diagnosis") -> None:
    from data_prep.diagnosis.page import make_page
    from s2distill.atomic_write import atomic_file

    with atomic_file(path) as temporary:
        temporary.write_text(make_page(diagnosis), encoding="utf-8")


def _run_and_judge(config: Config) -> None:
    diagnosis = run(config)
    grave = {"never": (), "error": ("error",), "warning": ("error", "warning")}
    found = {finding.severity for finding in diagnosis.findings}
    if found & set(grave[config.fail_on]):
        raise SystemExit(1)


def main() -> None:
    """Entry point of the console script."""
    # TensorFlow's own account of a cut file; the error names the file.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    run_program(_run_and_judge, Config, __doc__)


if __name__ == "__main__":
    main()

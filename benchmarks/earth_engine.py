r"""Measures how many answers a second an export takes in.

python -m benchmarks.earth_engine --places=2000 --processes=2

A server of this machine answers as Earth Engine does, after --latency_s, with
pixels that cost it little; it runs beside the export and shares its cores.
Forty requests at one time and 0.4 s for an answer allow 100 requests a
second; the bar is 70 of them for places of 32 px, 32 frames and 10 bands. The
rate is that of the middle 80 % of requests, without start and end.
"""

import dataclasses
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

from s2distill.flag_config import flag
from s2distill.flag_config import run_program


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Flags of this program."""

    places: int = flag(2000, help="Places to export.")
    tile_px: int = flag(32, help="Side of a place, 10 m pixels.")
    frames_before: int = flag(16, help="Frames before the date.")
    frames_after: int = flag(16, help="Frames after the date.")
    latency_s: float = flag(0.4, help="The server waits before it answers.")
    requests_in_flight: int = flag(40, help="At one time, over all processes.")
    processes: int = flag(2, help="Of Beam's local runner.")


def run(config: Config) -> None:
    """Measures, and writes the numbers as JSON to the terminal."""
    with tempfile.TemporaryDirectory() as folder:
        numbers = _measure(config, pathlib.Path(folder))
    sys.stdout.write(json.dumps(numbers, indent=2) + "\n")


def _measure(config: Config, folder: pathlib.Path) -> dict[str, float]:
    log = folder / "requests.jsonl"
    settings = {
        "latency_s": config.latency_s,
        "log": str(log),
        "same_pixels": True,
        "check_graphs": False,
    }
    server = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.earth_engine_server.server",
            f"--settings={json.dumps(settings)}",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        url = server.stdout.readline().strip()
        begun_s = time.monotonic()
        _export(config, folder, url)
        export_s = time.monotonic() - begun_s
    finally:
        server.terminate()
        server.wait()
    times_s = sorted(
        json.loads(line)["time_s"] for line in log.read_text().splitlines()
    )
    middle = times_s[len(times_s) // 10 : -(len(times_s) // 10)]
    rate = (len(middle) - 1) / (middle[-1] - middle[0])
    ceiling = min(100.0, config.requests_in_flight / config.latency_s)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "requests": len(times_s),
        "requests_per_s": round(rate, 1),
        "ceiling_per_s": ceiling,
        "share_of_ceiling": round(rate / ceiling, 3),
        "export_s": round(export_s, 1),
        "cpu_s_with_server": round(used.ru_utime + used.ru_stime, 1),
        "peak_mib_of_a_process": round(used.ru_maxrss / 1024),
    }


def _export(config: Config, folder: pathlib.Path, url: str) -> None:
    """Places of one zone side by side, exported by the program itself."""
    from data_prep.earth_engine.places.place import place_at
    from data_prep.earth_engine.places.places import write_places

    places = [
        place_at(
            "EPSG:32616",
            1_500 + number % 50,
            11_000 + number // 50,
            config.tile_px,
            date="2020-07-01",
        )
        for number in range(config.places)
    ]
    write_places(folder / "places.geojson", places, split_rule=None)
    subprocess.run(
        [
            sys.executable,
            "-m",
            "data_prep.earth_engine.export",
            f"--places={folder / 'places.geojson'}",
            f"--output={folder / 'records'}",
            f"--frames_before={config.frames_before}",
            f"--frames_after={config.frames_after}",
            f"--requests_in_flight={config.requests_in_flight}",
            "--ee_project=my-project",
            "--ee_credentials=anonymous",
            f"--ee_url={url}",
            "--",
            f"--direct_num_workers={config.processes}",
            "--direct_running_mode=multi_processing",
        ],
        check=True,
        stdout=sys.stderr,
    )


def main() -> None:
    """Entry point."""
    run_program(run, Config, __doc__)


if __name__ == "__main__":
    main()

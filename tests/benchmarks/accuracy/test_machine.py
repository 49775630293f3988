import pytest

from benchmarks.accuracy.machine import choose_precision
from benchmarks.accuracy.machine import describe_machine
from benchmarks.accuracy.machine import read_cpu_flags


@pytest.mark.parametrize(
    ("flags", "precision"),
    [
        ({"avx2", "amx_bf16", "amx_tile"}, "mixed_bfloat16"),
        ({"avx512f", "avx512_bf16"}, "mixed_bfloat16"),
        ({"avx2", "avx512f"}, "float32"),
        (set(), "float32"),
    ],
    ids=["matrices", "vectors", "neither", "unknown"],
)
def test_bfloat16_is_for_processors_that_multiply_it(flags, precision):
    assert choose_precision(frozenset(flags)) == precision


def test_the_machine_is_described_without_its_name():
    import platform

    found = describe_machine()
    assert found["cores"] >= 1
    assert found["memory_gib"] > 0.5
    assert set(found["bfloat16"]) <= read_cpu_flags()
    assert platform.node() not in str(found)

"""The machine that a benchmark ran on, and in what precision it trains."""

import os
import pathlib

_CPU_INFO = pathlib.Path("/proc/cpuinfo")
_BFLOAT16 = frozenset({"amx_bf16", "avx512_bf16"})


def choose_precision(cpu_flags: frozenset[str]) -> str:
    """The faster precision of a processor: bfloat16 where it multiplies it.

    Elsewhere bfloat16 is emulated, and several times slower than float32.

    Args:
      cpu_flags: As `read_cpu_flags` gives them.
    """
    return "mixed_bfloat16" if cpu_flags & _BFLOAT16 else "float32"


def read_cpu_flags() -> frozenset[str]:
    """Instruction sets as Linux names them; none on other systems."""
    return frozenset(_read_cpu_field("flags").split())


def describe_machine() -> dict[str, object]:
    """Processor, cores and memory, without the machine's name."""
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": _read_cpu_field("model name") or "unknown",
        "cores": os.cpu_count(),
        "memory_gib": round(gib, 1),
        "bfloat16": sorted(read_cpu_flags() & _BFLOAT16),
    }


def _read_cpu_field(name: str) -> str:
    """The value of a field of the first core; empty where there is none."""
    if not _CPU_INFO.is_file():
        return ""
    for line in _CPU_INFO.read_text(encoding="utf-8").splitlines():
        field, _, value = line.partition(":")
        if field.strip() == name:
            return value.strip()
    return ""

"""Open 1,000 damaged variants of a file; say what came of them.

    python tests/benchmarks/bench_damage.py [number]

Truncations, flipped bits, edited headers and swapped members, all seeded.
Each must yield only true data or one sentence that names the file, within 10
seconds and 1 GB. Takes about a minute.
"""

import collections
import pathlib
import resource
import sys
import tempfile

import nbpainter

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "data"))
import damage


def peak():
    """Peak memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main():
    """Print how many variants of each kind ended in which way."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    tiny = nbpainter.tiny_episodes()
    counts, slowest, before = collections.Counter(), 0.0, peak()
    with tempfile.TemporaryDirectory() as place:
        for kind, outcome, seconds in damage.try_variants(
            number, pathlib.Path(place), tiny[:200], tiny[200:]
        ):
            counts[kind, outcome] += 1
            slowest = max(slowest, seconds)
    for (kind, outcome), count in sorted(counts.items()):
        print(f"{kind:10} {outcome:10} {count:5}")
    print(
        f"slowest {slowest:.2f} s, peak memory {before} + {peak() - before} MB"
    )
    bad = sum(n for (_, how), n in counts.items() if how not in OUTCOMES)
    print(f"{bad} of {number} neither true nor refused in one sentence")
    sys.exit(bool(bad))


OUTCOMES = ("refused", "true")

if __name__ == "__main__":
    main()

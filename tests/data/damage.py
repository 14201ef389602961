"""Damage files of episodes in every way that has been thought of, seeded."""

import io
import time
import zipfile

import numpy as np

import nbpainter
from nbpainter.errors import DataError

_EDITS = [
    (b"'shape': (", b"'shape': (9"),
    (b"'shape': (4", b"'shape': (3"),
    (b"'shape': (4", b"'shape': (-4"),
    (b", 64, 64, 3)", b", 64, 64, 4)"),
    (b", 64, 64, 3)", b", 64, 192, 1)"),
    (b", 12)", b", 6, 2)"),
    (b"<f4", b">f4"),
    (b"<f4", b"<f8"),
    (b"<f4", b"<f2"),
    (b"<f4", b"<i4"),
    (b"<f4", b"|O8"),
    (b"|u1", b"|i1"),
    (b"False", b"True "),
    (b"{", b"[" * 5000),
    (b"NUMPY\x01", b"NUMPY\x02"),
    (b"NUMPY\x01", b"NUMPY\x03"),
    (b"'descr'", b"'desc'"),
]


def npz_bytes(episodes, compressed=True, order=("strokes", "actions")):
    """The bytes of a file with these episodes."""
    file = io.BytesIO()
    save = np.savez_compressed if compressed else np.savez
    save(file, **{name: getattr(episodes, name) for name in order})
    return file.getvalue()


def _members(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _zip(members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, True, 1) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def _truncate(random, content, other):
    return content[: random.integers(len(content))]


def _flip(random, content, other):
    content = bytearray(content)
    # The zip's own tables are small and at the end: go there often.
    low = random.choice([0, len(content) - 300])
    for _ in range(random.integers(1, 4)):
        content[random.integers(low, len(content))] ^= 1 << random.integers(8)
    return bytes(content)


def _edit(random, content, other):
    """Change a header, with a checksum that agrees."""
    members = _members(content)
    name = random.choice(list(members))
    if random.random() < 0.3:
        head = bytearray(members[name][:128])
        for _ in range(random.integers(1, 6)):
            head[random.integers(128)] = random.integers(256)
        members[name] = bytes(head) + members[name][128:]
    else:
        old, new = _EDITS[random.integers(len(_EDITS))]
        head = members[name][:128].replace(old, new, 1)
        if random.random() < 0.5:  # As long as the header says it is.
            head = head[:127].ljust(127) + b"\n"
        members[name] = head + members[name][128:]
    return _zip(members.items())


def _swap(random, content, other):
    """Exchange members: with each other, or with another file's."""
    mine, theirs = _members(content), _members(other)
    kind = random.integers(6)
    name = random.choice(list(mine))
    if kind == 0:
        return _zip(zip(mine, list(mine.values())[::-1]))
    if kind == 1:
        return _zip({**mine, name: theirs[name]}.items())
    if kind == 2:
        return _zip((key, x) for key, x in mine.items() if key != name)
    if kind == 3:
        half = mine[name][: random.integers(len(mine[name]))]
        return _zip({**mine, name: half}.items())
    if kind == 4:
        return _zip((f"a/{key}", value) for key, value in mine.items())
    return _zip(reversed(mine.items()))  # Nothing is wrong with this one.


KINDS = {
    "truncated": _truncate,
    "flipped": _flip,
    "edited": _edit,
    "swapped": _swap,
}


def try_variants(num_variants, folder, episodes, others, seed=0):
    """Open damaged files; yield what came of each.

    Args:
        num_variants: int.
        folder: path, for the file and its cache.
        episodes: `Episodes` of the file that is damaged.
        others: `Episodes` of another file, as many.
        seed: int.

    Yields:
        The kind of damage, "refused", "true" or what is wrong, and seconds.
    """
    wholes = [npz_bytes(episodes, compressed) for compressed in (True, False)]
    other = npz_bytes(others)
    path = folder / "damaged.npz"
    for index in range(num_variants):
        random = np.random.default_rng([seed, index])
        kind = list(KINDS)[index % len(KINDS)]
        whole = wholes[random.integers(2)]
        path.write_bytes(KINDS[kind](random, whole, other))
        started = time.perf_counter()
        try:
            opened = nbpainter.open_episodes(path, folder / "cache").load()
        except DataError as error:
            outcome = "refused"
            if str(path) not in str(error) or "\n" in str(error):
                outcome = f"unclear: {error}"
        except BaseException as error:
            outcome = f"crashed: {type(error).__name__}: {error}"
        else:
            outcome = "true"
            for name in ("actions", "strokes"):
                expected = getattr(episodes, name)
                if not np.array_equal(getattr(opened, name), expected):
                    outcome = f"other {name}"
        yield kind, outcome, time.perf_counter() - started

"""What tests share: the shipped generator, and whether the engine is there."""

import pytest

import nbpainter


def pytest_collection_modifyitems(items):
    if nbpainter.libmypaint.is_available():
        return
    skip = pytest.mark.skip(reason="libmypaint is not installed")
    for item in items:
        if "engine" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def generator():
    return nbpainter.load_pretrained("generator_pretrained")


@pytest.fixture(scope="session")
def tiny():
    return nbpainter.tiny_episodes()

"""Every input that fuzzing starts from, and every one that once broke a promise, through its target again."""

from __future__ import annotations

import time

import pytest

from tests.stress import seeds
from tests.stress.targets import TARGETS

INPUTS = [
    pytest.param(name, content, id=f"{name}-{label}")
    for name in TARGETS
    for label, content in [
        *((f"seed{number}", seed) for number, seed in enumerate(seeds.seeds(name))),
        *((file.name, file.read_bytes()) for file in seeds.corpus(name)),
    ]
]
SECONDS = 10  # of the processor, for inputs of a few kilobytes


@pytest.fixture(scope="module", autouse=True)
def compiled():
    """What is compiled at its first use is compiled before the clock runs."""
    for name in TARGETS:
        TARGETS[name].run(seeds.seeds(name)[0])


@pytest.mark.parametrize(("name", "content"), INPUTS)
def test_nothing_is_broken_by(name, content):
    before = time.process_time()
    TARGETS[name].run(content)
    assert time.process_time() - before < SECONDS


def test_the_corpus_is_of_known_targets_and_small():
    assert {folder.name for folder in seeds.CORPUS.iterdir()} <= TARGETS.keys()
    assert all(file.stat().st_size < 20_000 for file in seeds.CORPUS.rglob("*") if file.is_file())


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_read_and_not_merely_refused(name, monkeypatch):
    """A target whose seeds all fail at the door would fuzz nothing."""
    from cslog import identity

    seen = []
    for made in ("coded_messages", "canonical_orders"):
        original = getattr(identity, made)
        monkeypatch.setattr(identity, made, lambda *given, _made=original: seen.append(1) or _made(*given))
    if name in ("config", "roster", "pattern", "qn-txt-plain"):
        pytest.skip("reads no messages")
    for seed in seeds.seeds(name):
        TARGETS[name].run(seed)
    assert seen

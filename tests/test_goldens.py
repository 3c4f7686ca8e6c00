"""Every file of sample_logs means what its golden beside it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import make_goldens
from cslog.inputs import files_below

FILES = files_below([str(make_goldens.SAMPLES)])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_rows_are_those_of_the_golden(file: Path):
    golden = make_goldens.golden_of(file).read_bytes().decode()
    assert make_goldens.rows_of(file).split("\n") == golden.split("\n")


def test_no_golden_without_a_sample():
    goldens = set(make_goldens.SAMPLES.rglob("*.golden.jsonl"))
    assert goldens == {make_goldens.golden_of(file) for file in FILES}

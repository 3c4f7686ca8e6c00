"""The benchmark's bookkeeping: what a process costs, ratios by round, what a report calls met."""

import sys

import pytest

from benchmarks import floor, make_store, phases, report, run
from benchmarks.processes import Sample
from benchmarks.processes import run as process
from benchmarks.results import Results, without_places
from cslog import partials
from cslog.store import Store


@pytest.fixture
def found(tmp_path):
    return Results(tmp_path / "results.json")


def add(found, program, seconds, *, failed="", stage="kpi", case="50000000", peak_mib=100, **extra):
    for number, wall_s in enumerate(seconds):
        key = (stage, case, program, number)
        found.add(key, Sample(wall_s, 2 * wall_s, peak_mib, failed), ["python"], extra)


@pytest.mark.skipif(sys.platform == "win32", reason="wait4")
class TestProcesses:
    def test_memory_output_and_processor_time_are_those_of_the_child(self):
        # From a small process, as benchmarks/run.py is one: a child's peak is at least that of its parent.
        small = (
            "import sys; from benchmarks.processes import run; "
            "sample, out = run([sys.executable, '-c', sys.argv[1]]); print(sample.peak_mib, len(out))"
        )
        hungry = "x = b'1' * 150_000_000; print(len(x))"
        _, out = process([sys.executable, "-c", small, hungry])
        peak_mib, length = map(int, out.split())
        assert 145 < peak_mib < 200 and length == len("150000000\n")
        lazy, _ = process([sys.executable, "-c", "import time; time.sleep(1)"])
        assert lazy.wall_s > 1 > lazy.cpu_s

    def test_the_runner_is_small_since_its_memory_would_count_as_that_of_its_children(self):
        heavy = (
            "import sys, benchmarks.run; print({'numpy', 'polars', 'pyarrow', 'cslog'} & set(sys.modules))"
        )
        assert process([sys.executable, "-c", heavy])[1] == b"set()\n"

    def test_a_failure_and_a_timeout_are_told_and_not_raised(self):
        broken, _ = process([sys.executable, "-c", "raise SystemExit('no such month')"])
        assert broken.failed == "no such month"
        endless, _ = process([sys.executable, "-c", "while True: pass"], timeout_s=1)
        assert "killed" in endless.failed


class TestResults:
    def test_ratios_are_of_the_rounds_and_not_of_the_medians(self, found):
        add(found, "cslog", [1.0, 10.0, 2.0])
        add(found, "duckdb", [3.0, 20.0, 10.0])
        assert found.ratio("kpi", "50000000", "duckdb", "cslog") == 3.0  # of 3, 2, 5; the medians' would be 5
        assert found.median("kpi", "50000000", "duckdb") == 10.0

    def test_what_failed_is_in_no_figure(self, found):
        add(found, "cslog", [1.0])
        add(found, "duckdb", [3.0], failed="killed")
        assert found.ratio("kpi", "50000000", "duckdb", "cslog") is None
        assert "killed" in report.text(found, None)

    def test_a_case_that_is_run_again_forgets_what_was_measured_before(self, found):
        add(found, "cslog", [1.0, 2.0])
        add(found, "cslog", [5.0], case="1000000")
        found.forget("kpi", "50000000")
        assert found.cases("kpi") == ["1000000"]

    def test_samples_are_kept_for_a_run_that_goes_on(self, found):
        add(found, "cslog", [1.0])
        again = Results(found.path)
        assert again.has(("kpi", "50000000", "cslog", 0)) and not again.has(("kpi", "50000000", "cslog", 1))
        add(again, "cslog", [4.0])
        assert Results(found.path).median("kpi", "50000000", "cslog") == 4.0

    def test_no_folder_of_the_machine_is_written_down(self):
        assert (
            without_places(["/opt/x/python", "-m", "cslog", "--store", "/data/store"])
            == "python -m cslog --store store"
        )


class TestFloor:
    def test_the_scan_reads_every_message_and_the_kernels_run_alone(self, tmp_path):
        store = Store(tmp_path / "store")
        make_store.fill(store.folder, make_store.Plan(messages=3000, seed=3, agents=3))
        store.compact()
        tasks, snapshot = floor.plan(store.folder, "2024-11")
        _, _, rows = floor.scan(tasks, snapshot)
        in_reach = snapshot.messages(
            1_730_150_400, 1_733_184_000, ["buyer_key"]
        ).collect()  # 29 October to 3 December
        assert rows == in_reach.height > 2900
        found = floor.kernels(tasks, how_many=1)
        assert found["ns_per_message"] > 0
        # The passes over all messages that every report makes: none may have escaped the count.
        assert {"owners.infer_owners", "threads.order_threads", "threads.walk_threads"} <= set(found["each"])


class TestPhases:
    def test_what_a_report_does_is_told_apart(self, tmp_path):
        folder = tmp_path / "store"
        make_store.fill(folder, make_store.Plan(messages=3000, seed=3, agents=3))
        found = phases.measured(folder, "2024-11")
        assert [*found["phases_s"]] == ["imports", *phases.PHASES, phases.REST]
        assert {*found["steps"]} == {
            *phases.STEPS,
            phases.POOL,
        }  # a function that moved would not be measured
        walked = found["steps"]["threads, turns, sessions"]
        assert 0 < walked["kernels_ns_per_message"] <= walked["ns_per_message"]
        assert not hasattr(partials.partial_of, "__wrapped__")  # the clocks are off again


class TestReport:
    def test_the_floor_is_imports_scan_and_kernels_on_all_cores(self, found):
        found.content["about"] = {}
        add(found, "imports", [0.5])
        add(found, "floor", [9.0], scan_s=0.25, kernels={"ns_per_message": 20.0})
        assert report.floor_s(found, "50000000") == pytest.approx(0.5 + 0.25 + 50e6 * 20e-9)
        add(found, "cslog", [2.25])
        assert report.rest_per_scan(found, "50000000") == pytest.approx((2.25 - 0.5 - 1.0) / 0.25)

    def test_goals_are_met_or_not(self, found):
        add(found, "cslog", [2.0], peak_mib=3000)
        add(found, "duckdb", [32.0], equal=True)
        add(found, "polars", [8.0], equal=False)
        lines = {
            line.split("|")[1].strip(): line for line in report.text(found, None).splitlines() if "|" in line
        }
        assert lines["DuckDB ÷ cslog, month of 50 M"].endswith("| ≥ 15× | 16× | yes |")
        assert lines["polars ÷ cslog, month of 50 M"].endswith("| ≥ 5× | 4× | **no** |")
        assert lines["peak memory, month of 50 M"].endswith("| ≤ 2 GiB | 2.93 GiB | **no** |")
        assert lines["duckdb"].endswith("| 16.0 | 16.0 | yes |")
        assert lines["polars"].endswith("| 4.0 | 4.0 | **no** |")

    def test_where_the_time_goes_has_a_column_for_each_size(self, found):
        for case, nanoseconds in (("1000000", 5.0), ("10000000", 2.0)):
            steps = {
                "read": {"ns_per_message": 61.0, "kernels_ns_per_message": 0.0},
                "sums": {"ns_per_message": nanoseconds, "kernels_ns_per_message": 0.25},
            }
            add(found, "phases", [9.0], case=case, phases_s={"imports": nanoseconds}, steps=steps)
            kernels = {"ns_per_message": 9.0, "each": {"sums.intern": nanoseconds, "sums.other": 0.2}}
            add(found, "floor", [9.0], case=case, scan_s=1.0, kernels=kernels)
        lines = report.text(found, None).splitlines()
        assert "|  | 1 M | 10 M |" in lines
        assert "| imports | 5.00 | 2.00 |" in lines
        assert "| read | 61.0 | 61.0 |" in lines
        assert "| sums | 5.0 (0.2) | 2.0 (0.2) |" in lines
        assert "| sums.intern | 5.00 | 2.00 |" in lines
        assert "sums.other" not in "".join(lines)


def test_sizes():
    assert [run.size(text) for text in ("1M", "200k", "1234", "2.5M")] == [
        1_000_000,
        200_000,
        1234,
        2_500_000,
    ]

"""The totals of ./dev test: nothing that failed is counted as passed."""

from __future__ import annotations

from pathlib import Path

import pytest

import run_tests
from compile import BuildError
from run_tests import Outcome

PASSED = "[==========] 3 test(s) run.\n[  PASSED  ] 3 test(s).\n"
FAILED = (
    "[  FAILED  ] second\n[==========] 3 test(s) run.\n[  PASSED  ] 2 test(s).\n"
    "[  FAILED  ] 1 test(s), listed below:\n[  FAILED  ] second\n"
)


def outcome_of(result: str, output: str) -> Outcome:
    return run_tests.program_outcome({"name": "a", "result": result, "stdout": output}, "unit")


def test_cmocka_programs_count_their_tests() -> None:
    assert outcome_of("OK", PASSED) == Outcome(passed=3)
    assert outcome_of("FAIL", FAILED) == Outcome(2, 1, failures=["unit: a second"])


def test_other_programs_count_once() -> None:
    assert outcome_of("OK", "12 inputs replayed\n") == Outcome(passed=1)
    assert outcome_of("FAIL", "killed") == Outcome(failed=1, failures=["unit: a"])
    assert outcome_of("TIMEOUT", "[ RUN      ] x") == Outcome(failed=1, failures=["unit: a"])


def test_a_program_can_leave_itself_out() -> None:
    assert outcome_of("SKIP", "no corpora") == Outcome(skipped=1)


def test_a_failure_after_a_clean_summary_is_a_failure() -> None:
    assert outcome_of("FAIL", PASSED + "LeakSanitizer: detected memory leaks") == Outcome(
        3, 1, failures=["unit: a"]
    )


def test_junit_reports(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(
        "<testsuites><testsuite>"
        '<testcase classname="c" name="good"/>'
        '<testcase classname="c" name="bad"><failure/></testcase>'
        '<testcase classname="c" name="broken"><error/></testcase>'
        '<testcase classname="c" name="left out"><skipped/></testcase>'
        "</testsuite></testsuites>"
    )
    assert run_tests.junit_outcome(report, "e2e") == Outcome(
        1, 2, 1, ["e2e: c::bad", "e2e: c::broken"]
    )


def test_commands_are_ended_when_their_time_is_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_tests.run(["sh", "-c", "exit 3"], 10) == 3
    assert run_tests.run(["sh", "-c", "sleep 60 & sleep 60"], 0) == -1
    assert "timed out" in capsys.readouterr().out


def test_the_last_line_and_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> Outcome:
        raise BuildError("failed: ninja")

    parts = {"good": lambda: Outcome(passed=5), "bad": lambda: Outcome(1, 2), "broken": broken}
    monkeypatch.setattr(run_tests, "PARTS", parts)
    assert run_tests.main(["good"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "5 passed, 0 failed"
    assert run_tests.main([]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "6 passed, 3 failed"
    assert run_tests.main(["unheard-of"]) == 2


def test_nothing_run_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_tests, "PARTS", {"empty": Outcome})
    assert run_tests.main([]) == 1

"""The command line: tables, JSON, exit status."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from inside import IDENTITY_ERROR

from eingrad import cli, identities
from eingrad.identities import checks


def test_identities_prints_a_table_and_passes(capsys):
    """Every identity, every order, and the counterexample for W."""
    assert cli.main(["identities", "--size", "3", "2", "1", "--order", "1"]) == 0
    printed = capsys.readouterr().out
    for number in identities.IDENTITIES:
        assert f"\n{number}" in f"\n{printed}"
    assert "5.108 as printed fails where W is not symmetric, as it must be:" in printed
    assert "11 of 11 checks passed" in printed


def test_one_identity_shows_formula_and_plan(capsys):
    """The details of the one that was asked for."""
    assert cli.main(["identities", "5.102", "--order", "1"]) == 0
    printed = capsys.readouterr().out
    assert "-(sum" in printed or "[i,j,k,l] = " in printed
    assert "step  kernel" in printed
    assert "5.99" not in printed


@pytest.mark.parametrize("written", ["5.104", "(5.104)", "104", "(104)"])
def test_a_number_may_be_written_as_in_the_book_or_without_the_chapter(written, capsys):
    """And which way does not show."""
    assert cli.main(["identities", written, "--order", "1"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("5.104  d x^T a / dx")
    assert "5.104, derivative of order 1\n" in printed
    assert "1 of 1 checks passed" in printed


def test_several_identities_can_be_chosen(capsys):
    """In the order of the book, each once; the details as they were asked for."""
    assert cli.main(["identities", "106", "5.104", "106", "--order", "1"]) == 0
    printed = capsys.readouterr().out
    assert re.findall(r"^5\.\d+", printed, re.MULTILINE) == [
        *("5.104", "5.106"),  # the statements
        *("5.104", "5.106"),  # the table
        *("5.106", "5.104"),  # the details
    ]
    assert "2 of 2 checks passed" in printed


def test_the_command_and_the_function_check_the_same_orders(capsys):
    """Unless they are told otherwise."""
    assert cli.main(["identities", "104", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["identities"]
    assert [row["order"] for row in rows] == [r.order for r in identities.check("5.104").by_order]


def test_json_is_one_document(capsys):
    """For machines: the same figures."""
    assert cli.main(["identities", "5.101", "--order", "2", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    rows = document["identities"]
    assert [row["order"] for row in rows] == [1, 2]
    assert all(row["passed"] and row["proved"] for row in rows)
    assert rows[0]["shape"] == [2, 3]
    assert set(rows[0]["flops"]) == set(identities.PATHS)


def test_json_has_no_infinity(capsys, monkeypatch):
    """An error of a wrong shape is infinite; no JSON parser need know that."""
    IDENTITY_ERROR.replace(monkeypatch, lambda *_: float("inf"))
    assert cli.main(["identities", "5.104", "--order", "1", "--json"]) == 1
    printed = capsys.readouterr().out
    assert "Infinity" not in printed
    assert json.loads(printed)["identities"][0]["matrix_error"] is None


def test_a_failed_check_is_an_exit_status(capsys, monkeypatch):
    """A tolerance that nothing meets."""
    monkeypatch.setattr(checks, "TOLERANCE", -1.0)
    assert cli.main(["identities", "5.100", "--order", "1"]) == 1
    assert "FAILED" in capsys.readouterr().out
    assert cli.main(["identities", "5.100", "--json"]) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["identities", "5.1"],
            "there is no identity '5.1'; there are 5.99, 5.100, 5.101, 5.102, 5.103, 5.104, ",
        ),
        (
            ["identities", "103", "98"],
            "argument NUMBER: there is no identity '98'; there are 5.99, ",
        ),
        (["identities", "5.108 any W"], "there is no identity '5.108 any W'; there are 5.99, "),
        (["identities", "--size", "0", "1", "2"], "a size is a positive integer, not 0"),
        (["identities", "--size", "a", "1", "2"], "a size is a positive integer, not a"),
        (["identities", "5.99", "--seed", "-1"], "a seed is an integer of at least 0, not -1"),
        (["identities", "5.99", "--seed", "x"], "a seed is an integer of at least 0, not x"),
        (["identities", "--order", "4"], "invalid choice: 4"),
        ([], "the following arguments are required: COMMAND"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message, capsys):
    """Exit status 2, the message on standard error."""
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_info_names_versions_and_blas(capsys):
    """What a bug report needs."""
    assert cli.main(["info", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert {"eingrad", "python", "numpy", "opt_einsum", "blas"} <= set(facts)
    assert cli.main(["info"]) == 0
    assert "numpy" in capsys.readouterr().out


def test_interruption_is_an_exit_status(monkeypatch, capsys):
    """130, as a shell expects."""

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(identities, "check", interrupt)
    assert cli.main(["identities"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_module_runs_and_survives_a_closed_pipe():
    """``python -m eingrad ... | head -1``."""
    command = f"{sys.executable} -m eingrad identities 5.104 | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("5.104")
    assert done.stderr == ""


def test_importing_the_library_imports_no_command_line():
    """Nor anything optional."""
    optional = "argparse", "matplotlib", "hypothesis", "dask", "sklearn", "scipy"
    code = f"import eingrad, sys; print([m for m in {optional} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_counterexample_to_the_printed_form_has_the_derivative_on_the_left():
    """As the statement has it; the sides were the other way round."""
    found = cli.check_printed_form_with_any_weight()
    x, a, s, w = (found.counterexample[name] for name in ("x", "A", "s", "W"))
    r = x - a @ s
    np.testing.assert_allclose(found.values[0], -r @ (w + w.T) @ a)
    np.testing.assert_allclose(found.values[1], -2 * r @ w @ a)

"""The command `eingrad paths`: what it prints, where, and its exit status."""

import dataclasses
import json
import os
import re
import subprocess
import sys

import numpy as np
import opt_einsum
import pytest

from eingrad import cli, paths
from eingrad.paths import api, baseline
from eingrad.paths.comparison import of_document
from eingrad.paths.executors import EXECUTORS, Prepared
from eingrad.paths.report import CSV_COLUMNS

MATRIX = ["paths", "ij,jk->ik", "--size", "i=2,j=3", "--size", "k=4"]
QUICK = ["--seconds", "0.2", "--executors", "eingrad,numpy", "--orders", "left to right"]


def call(*arguments):
    """Run the command; give its status also where the arguments are refused at once."""
    try:
        return cli.main(list(arguments))
    except SystemExit as stopped:
        return stopped.code


def test_a_table_goes_to_standard_output(capsys):
    assert call(*MATRIX, *QUICK) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.startswith("ij,jk->ik: 2 operands, 1 output\n")
    for word in ("left to right", "time of a call", "threads: ", "seed 0"):
        assert word in printed.out


def test_json_is_one_document(capsys):
    assert call(*MATRIX, *QUICK, "--json") == 0
    found = of_document(json.loads(capsys.readouterr().out))
    assert [order.flops for order in found.orders] == [48]
    assert found.run("left to right", "numpy").status == "measured"


def test_csv_has_a_line_for_each_run(capsys):
    assert call(*MATRIX, *QUICK, "--csv") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == ",".join(CSV_COLUMNS)
    assert len(lines) == 3


def test_a_path_of_the_users_is_an_order(capsys):
    arguments = ["paths", "ij,jk,kl->il", "--size", "i=2,j=3,k=4,l=5", *QUICK, "--json"]
    assert call(*arguments, "--path", "[[1, 2], [0, 1]]", "--path", "[[0, 1], [0, 1]]") == 0
    found = of_document(json.loads(capsys.readouterr().out))
    assert [(o.name, o.flops) for o in found.orders] == [
        ("left to right", 128),
        ("given", 180),
        ("given 2", 128),
    ]


def test_a_path_that_is_none_is_said_and_the_others_are_printed(capsys):
    """With status 2: it was given."""
    assert call(*MATRIX, *QUICK, "--path", "[[0, 5]]") == 2
    printed = capsys.readouterr()
    assert "left to right" in printed.out
    assert re.fullmatch(r"eingrad paths: error: order 'given': .*0, 5.*\n", printed.err)


def test_lists_and_definitions_need_no_input(capsys):
    assert call("paths", "--list") == 0
    printed = capsys.readouterr().out
    assert "left to right" in printed
    assert f"numpy       {np.__version__}" in printed
    assert all(name in printed for name in EXECUTORS)
    assert call("paths", "--definitions") == 0
    assert "multiplications  the product of the sizes" in capsys.readouterr().out


SIZES = ["--size", "i=2,j=3,k=4"]
WRONG = {
    "no input": (["paths"], "there is no INPUT; give subscripts with --size"),
    "no such input": (["paths", "nonsense"], "'nonsense' is no input; give subscripts with"),
    "a size missing": (
        ["paths", "ij,jk->ik", "--size", "i=2,j=3"],
        "index 'k' of 'ij,jk->ik' has no size; give one with k=N",
    ),
    "a size too many": (
        ["paths", "ij->i", "--size", "i=2,j=3,z=4"],
        "a size is given for 'z', which 'ij->i' lacks",
    ),
    "no size": (
        ["paths", "ij,jk->ik", "--size", "i=2;j=3"],
        "--size 'i=2;j=3' is no size; write it as in i=10,j=20",
    ),
    "two sizes": (
        ["paths", "ij->i", "--size", "i=2,i=3"],
        "--size gives 'i' two sizes, 2 and 3",
    ),
    "subscripts": (["paths", "i1,j->ij", *SIZES], "'1' in 'i1,j->ij' is no letter"),
    "no order": ([*MATRIX, "--orders", "best"], "there is no order 'best'; there are eingrad, "),
    "an empty name": ([*MATRIX, "--orders", "a,,b"], "argument --orders: 'a,,b' has an empty name"),
    "no executor": (
        [*MATRIX, "--executors", "abacus"],
        "there is no executor 'abacus'; there are ",
    ),
    "memory": (
        [*MATRIX, "--memory", "lots"],
        "argument --memory: 'lots' is no amount of memory; write it as in 2GB or 512MiB",
    ),
    "seconds": (
        [*MATRIX, "--seconds", "nan"],
        "argument --seconds: seconds are a number of at least 0, not nan",
    ),
    "limit": ([*MATRIX, "--limit", "x"], "argument --limit: a limit is a ratio, 1.2 say, not x"),
    "threads": (
        [*MATRIX, "--threads", "0"],
        "argument --threads: a number of threads is a positive integer, not 0",
    ),
    "seed": ([*MATRIX, "--seed", "-1"], "argument --seed: a seed is an integer of at least 0"),
    "shape": (
        ["paths", "math:sin", "--shape", "3xx4"],
        "argument --shape: '3xx4' is no shape; write it as in 3x4, x=3x4, or scalar",
    ),
    "argnums": (
        ["paths", "math:sin", "--argnums", "0,x"],
        "argument --argnums: argnums are numbers of arguments, not x",
    ),
    "an option for others": (
        [*MATRIX, "--shape", "3"],
        "--shape is not for subscripts, which 'ij,jk->ik' is",
    ),
    "sizes of a function": (
        ["paths", "math:sin", "--size", "i=2"],
        "--size is not for a function, which 'math:sin' is",
    ),
    "a shape of an identity": (
        ["paths", "5.105", "--shape", "3"],
        "--shape is not for an identity, which '5.105' is",
    ),
    "a path that is no JSON": ([*MATRIX, "--path", "[[0,1"], "--path is no JSON: "),
    "a path that is no list": ([*MATRIX, "--path", "{"], "--path is no JSON: "),
    "a path of calls": (
        [*MATRIX, "--path", "[(0, print(1))]"],
        "--path is no path; write it as in [(0, 1), (0, 1)]",
    ),
    "a path of other things": (
        [*MATRIX, "--path", "[(0, 1.5)]"],
        "--path is no path; it has more than lists, tuples and integers",
    ),
    "a path nested too deeply": ([*MATRIX, "--path", "(" * 5000], "--path is no path; write it"),
    "a path that is a function": (
        [*MATRIX, "--path", "opt.py:right"],
        "--path opt.py:right: there is no such file; a function is for --orders",
    ),
    "no baseline": ([*MATRIX, "--compare", "no/such.json"], "no/such.json: No such file or "),
    "a limit of nothing": (
        [*MATRIX, "--limit", "2"],
        "--limit needs --compare FILE, the baseline that it is about",
    ),
    "relative to nothing": (
        [*MATRIX, "--relative-to", "numpy"],
        "--relative-to needs --compare FILE, the baseline that it is about",
    ),
    "no folder": ([*MATRIX, "--save", "no/such.json"], "--save no/such.json: there is no such "),
    "no picture": ([*MATRIX, "--plot", "a.bmp"], "--plot a.bmp: pictures are .svg or .png files"),
    "no tree": ([*MATRIX, "--tree", "a.pdf"], "--tree a.pdf: pictures are .svg or .png files"),
    "no folder of it": (
        [*MATRIX, "--network", "no/such.svg"],
        "--network no/such.svg: there is no such folder",
    ),
    "json and csv": ([*MATRIX, "--json", "--csv"], "argument --csv: not allowed with argument"),
    "an unknown option": ([*MATRIX, "--fast"], "unrecognized arguments: --fast"),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG)
def test_wrong_input_is_one_line_on_standard_error(arguments, message, capsys):
    """Exit status 2, nothing on standard output, no traceback."""
    assert call(*arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.match(rf"eingrad( paths)?: error: {re.escape(message)}", printed.err)
    assert printed.err.count("\n") == 1
    assert len(printed.err) < 500


def test_a_baseline_is_saved_and_compared(capsys, tmp_path):
    file = str(tmp_path / "base.json")
    assert call(*MATRIX, *QUICK, "--save", file) == 0
    capsys.readouterr()
    assert call(*MATRIX, *QUICK, "--compare", file, "--limit", "1000000") == 0
    printed = capsys.readouterr().out
    assert "ratios to the baseline: above 1 is worse" in printed
    assert "ABOVE" not in printed
    assert call(*MATRIX, *QUICK, "--compare", file, "--limit", "0", "--json") == 1
    document = json.loads(capsys.readouterr().out)
    assert document["baseline"]["limit"] == 0
    assert ["left to right", "numpy"] in document["baseline"]["exceeded"]
    arguments = ["--compare", file, "--relative-to", "numpy"]
    assert call(*MATRIX, *QUICK, *arguments) == 0
    assert "relative to numpy" in capsys.readouterr().out


def test_a_baseline_of_another_problem_is_refused(capsys, tmp_path):
    file = str(tmp_path / "base.json")
    assert call(*MATRIX, *QUICK, "--save", file) == 0
    capsys.readouterr()
    assert call("paths", "ij->i", "--size", "i=2,j=3", *QUICK, "--compare", file) == 2
    assert capsys.readouterr().err == (
        f"eingrad paths: error: {file} has no baseline of 'ij->i'; it has ij,jk->ik\n"
    )


def test_a_problem_at_other_sizes_is_another_baseline(capsys, tmp_path):
    """Of one name: both are kept, neither is compared with the other."""
    file = str(tmp_path / "base.json")
    larger = ["paths", "ij,jk->ik", "--size", "i=5,j=6,k=7", *QUICK]
    assert call(*MATRIX, *QUICK, "--save", file) == 0
    capsys.readouterr()
    assert call(*larger, "--compare", file) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == (
        f"eingrad paths: error: {file} has no baseline of 'ij,jk->ik' at these sizes: it has one "
        "at others, or of other terms or data types; make one of this with --save\n"
    )
    assert call(*larger, "--save", file) == 0
    assert [found.orders[0].flops for found in baseline.load(file)] == [48, 420]
    for command in ([*MATRIX, *QUICK], larger):
        assert call(*command, "--compare", file, "--limit", "1e9") == 0


def test_a_derivative_by_other_arguments_is_another_baseline(capsys, tmp_path, monkeypatch):
    (tmp_path / "other_of_the_test.py").write_text("def f(x, y):\n    return x @ y @ y\n")
    monkeypatch.chdir(tmp_path)
    named = ["paths", "other_of_the_test:f", "--shape", "3x3", "--shape", "3x3", *QUICK]
    assert call(*named, "--save", "base.json") == 0
    assert call(*named, "--argnums", "1", "--compare", "base.json") == 2
    assert "'other_of_the_test:f, order 1' at these sizes" in capsys.readouterr().err
    assert call(*named, "--compare", "base.json") == 0


def test_what_is_not_measured_any_more_is_an_exit_status(capsys, tmp_path):
    file = str(tmp_path / "base.json")
    both = [*MATRIX, *QUICK[:-1], "left to right,reverse"]
    assert call(*both, "--save", file) == 0
    assert call(*MATRIX, *QUICK, "--compare", file) == 0
    capsys.readouterr()
    assert call(*MATRIX, *QUICK, "--compare", file, "--limit", "1e9") == 1
    printed = capsys.readouterr().out
    assert "only in the baseline: reverse on numpy; COUNTS AS ABOVE THE LIMIT" in printed
    assert call(*both, "--seconds", "0", "--compare", file, "--limit", "1") == 0


def test_a_file_that_is_no_baseline_is_not_overwritten(capsys, tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("mine")
    assert call(*MATRIX, *QUICK, "--save", str(file)) == 2
    assert capsys.readouterr().err.startswith(f"eingrad paths: error: {file} is no JSON: ")
    assert file.read_text() == "mine"


def test_values_that_disagree_are_an_exit_status(capsys, monkeypatch):
    """1, and the table says which."""

    right = EXECUTORS["numpy"]

    def prepare(schedule, arrays):
        prepared = right.prepare(schedule, arrays)
        return Prepared(lambda: [2 * value for value in prepared.values()], list)

    monkeypatch.setitem(EXECUTORS, "numpy", dataclasses.replace(right, prepare=prepare))
    assert call(*MATRIX, *QUICK) == 1
    assert "numpy: disagrees: its values differ from those of" in capsys.readouterr().out


def test_an_interruption_prints_what_is_finished(capsys, monkeypatch, tmp_path):
    """Status 130; what is not finished is no baseline."""

    def interrupt(schedule, arrays):
        raise KeyboardInterrupt

    changed = dataclasses.replace(EXECUTORS["numpy"], prepare=interrupt)
    monkeypatch.setitem(EXECUTORS, "numpy", changed)
    file = tmp_path / "base.json"
    assert call(*MATRIX, *QUICK, "--save", str(file)) == 130
    printed = capsys.readouterr()
    assert "left to right" in printed.out
    assert "INTERRUPTED" in printed.out
    assert printed.err.splitlines()[-1] == "interrupted"
    assert not file.exists()


def test_no_order_at_all_is_an_error(capsys, monkeypatch):
    def gives_up(problem):
        raise RuntimeError("gave up")

    found = api.find_order

    def find(name, **options):
        return type(found(name))(name, gives_up)

    monkeypatch.setattr("eingrad.cli.inputs.find_order", find)
    assert call(*MATRIX, *QUICK) == 2
    assert capsys.readouterr().err == (
        "eingrad paths: error: there is no order to compare: RuntimeError: gave up\n"
    )


def test_arrays_and_networks_are_read_from_files(capsys, tmp_path):
    a, b = tmp_path / "a.npy", tmp_path / "b.npy"
    np.save(a, np.ones((2, 3)))
    np.save(b, np.ones((3, 4), np.float32))
    assert call("paths", "ij,jk->ik", str(a), str(b), *QUICK) == 0
    network = tmp_path / "net.json"
    fields = {"inputs": ["ij", "jk"], "output": "ik", "size_dict": {"i": 2, "j": 3, "k": 4}}
    network.write_text(json.dumps(fields))
    capsys.readouterr()
    assert call("paths", str(network), *QUICK) == 0
    assert "48" in capsys.readouterr().out
    network.write_text("{")
    assert call("paths", str(network), *QUICK) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert call("paths", "ij,jk->ik", str(a), *QUICK) == 2
    assert call("paths", "ij,jk->ik", str(a), "no.npy", *QUICK) == 2


def test_functions_and_identities_are_problems(capsys, tmp_path, monkeypatch):
    (tmp_path / "mine_of_the_test.py").write_text("def f(x, W):\n    return x @ W @ x\n")
    monkeypatch.chdir(tmp_path)
    named = ["paths", "mine_of_the_test:f"]
    assert call(*named, "--shape", "3", "--shape", "3x3", *QUICK) == 0
    assert call(*named, "--shape", "W=3x3", "--shape", "x=3", "--order", "2", *QUICK) == 0
    assert call("paths", "5.105", "--order", "1", "--explicit", *QUICK) == 0
    capsys.readouterr()
    assert call(*named, *QUICK) == 2
    assert "needs the shapes of its arguments" in capsys.readouterr().err
    assert call(*named, "--shape", "z=3", *QUICK) == 2
    assert "has the parameters x, W; --shape z= is for none" in capsys.readouterr().err
    assert call("paths", "no_such_module:f", "--shape", "3", *QUICK) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert call("paths", "5.105", "--size", "D=2,Q=3", *QUICK) == 2
    assert "--size of an identity is for D, E and F, not 'Q'" in capsys.readouterr().err


def test_a_problem_of_the_set_has_a_name(capsys):
    """And a near miss is told the right one."""
    assert call("paths", "chain-by-second", *QUICK, "--seconds", "0") == 0
    assert capsys.readouterr().out.startswith("chain-by-second: ")
    assert call("paths", "chain-by-secondd", *QUICK) == 2
    message = "eingrad paths: error: 'chain-by-secondd' is no input; did you mean chain-by-second"
    assert capsys.readouterr().err.startswith(message)
    assert call("paths", "--list") == 0
    assert "chain-by-second," in capsys.readouterr().out


def test_a_saved_file_is_read_by_the_library(tmp_path):
    file = tmp_path / "base.json"
    assert call(*MATRIX, *QUICK, "--save", str(file)) == 0
    (found,) = baseline.load(file)
    assert found.problem == "ij,jk->ik"


def test_truth_values_are_compared(capsys, tmp_path):
    """They have no difference, but zero and one have."""
    file = tmp_path / "a.npy"
    np.save(file, np.array([[True, False], [True, True]]))
    assert call("paths", "ij,ij->", str(file), str(file), *QUICK, "--json") == 0
    found = of_document(json.loads(capsys.readouterr().out))
    assert found.run("left to right", "numpy").status == "measured"


def test_a_run_of_which_all_failed_is_an_exit_status(capsys, monkeypatch):
    def fail(schedule, arrays):
        raise RuntimeError("broken")

    for name in ("eingrad", "numpy"):
        changed = dataclasses.replace(EXECUTORS[name], prepare=fail)
        monkeypatch.setitem(EXECUTORS, name, changed)
        assert call(*MATRIX, *QUICK) == (1 if name == "numpy" else 0)
    assert "numpy: failed: RuntimeError: broken" in capsys.readouterr().out


@pytest.mark.parametrize("form", [[], ["--csv"], ["--json"]])
def test_a_reader_that_has_had_enough_is_no_error(form, tmp_path):
    """As in `eingrad paths ... | head -1`: no word; files are written all the same."""
    file = tmp_path / "base.json"
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "eingrad", *MATRIX, *QUICK, *form, "--save", str(file)]
    with os.fdopen(writing, "w") as pipe:
        done = subprocess.run(
            command, stdout=pipe, stderr=subprocess.PIPE, text=True, timeout=120, check=False
        )
    assert (done.stderr, done.returncode) == ("", 0)
    assert len(baseline.load(file)) == 1


def test_what_is_unknown_is_said_to_be_whatever_the_options(capsys):
    """Not that an option is not for it."""
    for options in (["--order", "2"], ["--size", "i=2"], ["--explicit"], []):
        assert call("paths", "5.109", *options) == 2
        said = capsys.readouterr().err
        assert re.match(
            r"eingrad paths: error: '5\.109' is no input; did you mean 5\.10\d or", said
        )
    assert call("paths", "no.json", "--order", "2") == 2
    assert "no.json: cannot be read: " in capsys.readouterr().err


def test_an_identity_with_any_weight_is_a_problem(capsys):
    """Its number is of three words, quoted or not; the name of the problem has them all."""
    for named in (["5.108 any W"], ["5.108", "any", "W"], ["(5.108 any W)"], ["108 any W"]):
        assert call("paths", *named, *QUICK, "--seconds", "0") == 0
        assert capsys.readouterr().out.startswith("5.108 any W, order 1: ")
    assert call("paths", "(105)", *QUICK, "--seconds", "0") == 0
    assert capsys.readouterr().out.startswith("5.105, order 1: ")


@pytest.mark.parametrize("path", ["[(1, 2), (0, 1)]", "((1, 2), (0, 1))", "[[(1, 2), (0, 1)]]"])
def test_a_path_that_python_printed_is_an_order(path, capsys, tmp_path):
    """On the command line and in a file, without code that runs."""
    file = tmp_path / "right.txt"
    file.write_text(path + "\n")
    arguments = ["paths", "ij,jk,kl->il", "--size", "i=2,j=3,k=4,l=5", *QUICK, "--json"]
    assert call(*arguments, "--path", path, "--path", str(file)) == 0
    found = of_document(json.loads(capsys.readouterr().out))
    assert [order.flops for order in found.orders] == [128, 180, 180]
    file.write_text("[(1, 2), (0, __import__('os'))]")
    assert call(*arguments, "--path", str(file)) == 2
    assert "right.txt is no path" in capsys.readouterr().err


def test_all_columns_are_defined(capsys):
    """By the names that the table heads them with, or theirs in full."""
    assert call("paths", "--definitions") == 0
    defined = {line.split()[0] for line in capsys.readouterr().out.splitlines()}
    assert call(*MATRIX, *QUICK, "--memory", "1GB") == 0
    heads = capsys.readouterr().out.splitlines()[2].replace("mult ", "multiplications ").split()
    assert heads[0] == "order"
    assert {*heads[1:]} <= defined


@pytest.mark.parametrize(
    ("subscripts", "ours", "theirs"),
    [
        ("ij,jk->ik", 48, 48),
        ("ik,jl->ij", 26, 192),  # each sums an index that it has alone: 8 + 12, then 6
        ("ii->i", 0, 2),  # a diagonal
        ("ij->ji", 0, 6),  # a transpose
    ],
)
def test_flops_are_those_of_opt_einsum_but_for_what_is_said(subscripts, ours, theirs):
    """See --definitions."""
    letters = {"i": 2, "j": 3, "k": 4, "l": 4}
    sizes = {index: size for index, size in letters.items() if index in subscripts}
    problem = paths.of_einsum(subscripts, sizes)
    assert paths.find_order("left to right").find(problem).flops == ours
    arrays = problem.values()
    assert opt_einsum.contract_path(subscripts, *arrays)[1].opt_cost == theirs


def test_a_tree_and_a_network_are_drawn(tmp_path, capsys):
    """The tree of the order with the fewest flops, or of the first that is named."""
    chain = ["paths", "ij,jk,kl->il", "--size", "i=2,j=3,k=4,l=5", "--seconds", "0"]
    tree, network = tmp_path / "tree.svg", tmp_path / "network.svg"
    files = ["--tree", str(tree), "--network", str(network)]
    path = ["--path", "[(1, 2), (0, 1)]"]
    assert call(*chain, *path, *files) == 0
    assert "128 flops" in tree.read_text()
    assert "<circle" in network.read_text()
    (tmp_path / "right.py").write_text("def find(i, o, s, m=None):\n    return [(1, 2), (0, 1)]\n")
    named = f"{tmp_path / 'right.py'}:find"
    assert call(*chain, "--orders", f"{named},eingrad", *files) == 0
    assert "180 flops" in tree.read_text()
    capsys.readouterr()


def test_a_tree_is_drawn_as_png(tmp_path):
    pytest.importorskip("matplotlib")
    for option in ("--tree", "--network"):
        file = tmp_path / f"{option}.PNG"
        assert call("paths", "5.105", *QUICK, "--seconds", "0", option, str(file)) == 0
        assert file.read_bytes().startswith(b"\x89PNG")


def test_a_tree_of_no_order_is_an_error(tmp_path, capsys):
    file = tmp_path / "tree.svg"
    command = [*MATRIX, "--seconds", "0", "--orders", "best known", "--tree", str(file)]
    assert call(*command) == 2
    assert f"error: --tree {file}: there is no order to draw\n" in capsys.readouterr().err
    assert not file.exists()

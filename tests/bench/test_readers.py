"""Readers of foreign formats, on tiny files of our own in the same shape."""

import gzip
import json

from bench.psplib import read_best_known, read_sm
from bench.spec import spec_of
from bench.tables import Row
from bench.wfformat import read_wfformat
from executions.scheduling.conditions import Conditions
from executions.scheduling.model import Requirement
from executions.specs import group_of, parse

SM = """\
************************************************************************
file with basedata            : own.bas
************************************************************************
projects                      :  1
jobs (incl. supersource/sink ):  5
RESOURCES
  - renewable                 :  2   R
************************************************************************
PRECEDENCE RELATIONS:
jobnr.    #modes  #successors   successors
   1        1          2           2   3
   2        1          1           4
   3        1          1           5
   4        1          1           5
   5        1          0
************************************************************************
REQUESTS/DURATIONS:
jobnr. mode duration  R 1  R 2
------------------------------------------------------------------------
  1      1     0       0    0
  2      1     3       2    0
  3      1     4       1    1
  4      1     2       0    3
  5      1     0       0    0
************************************************************************
RESOURCEAVAILABILITIES:
  R 1  R 2
    2    3
************************************************************************
"""


def sm(tmp_path):
    path = tmp_path / "own1_1.sm"
    path.write_text(SM)
    return read_sm(path)


def test_a_project_is_read_without_its_empty_ends(tmp_path):
    group, limits = sm(tmp_path)
    assert [t.id for t in group.tasks] == ["2", "3", "4"]
    assert group.tasks[1].requirements == (Requirement("R1", 1), Requirement("R2", 1))
    assert [t.depends_on for t in group.tasks] == [(), (), ("2",)]
    assert limits == {"resource:R1": 2, "resource:R2": 3}
    assert group.max_concurrency == 3
    assert Conditions(group, limits).run().makespan_s == 9


def test_a_project_as_a_spec_is_the_same_group(tmp_path):
    group, limits = sm(tmp_path)
    again = group_of(parse(json.dumps(spec_of(group, limits))))
    assert [(t.id, t.duration_s, t.requirements, t.depends_on) for t in again.tasks] == [
        (t.id, t.duration_s, t.requirements, t.depends_on) for t in group.tasks
    ]


def test_best_known_makespans_are_read(tmp_path):
    path = tmp_path / "best-known.csv"
    path.write_text("instance,best_makespan,lower_bound,optimal_proven,sources\nown,9,8,no,x=9\n")
    assert read_best_known(path) == {"own": (9, 8)}


def test_a_trace_of_1_5_is_read_packed(tmp_path):
    tasks = [
        {"id": "a_ID0000001", "name": "a_ID0000001", "parents": [], "children": ["b_2"]},
        {"id": "a_ID0000002", "name": "a_ID0000002", "parents": [], "children": ["b_2"]},
        {"id": "b_2", "name": "b_2", "parents": ["a_ID0000001", "a_ID0000002"], "children": []},
    ]
    ran = [{"id": t["id"], "runtimeInSeconds": 2.5} for t in tasks]
    workflow = {"workflow": {"specification": {"tasks": tasks}, "execution": {"tasks": ran}}}
    path = tmp_path / "own.json.gz"
    path.write_bytes(gzip.compress(json.dumps(workflow).encode()))
    group = read_wfformat(path, max_concurrency=16)
    assert [t.task_type for t in group.tasks] == ["a", "a", "b"]
    assert group.tasks[2].depends_on == ("a_ID0000001", "a_ID0000002")
    assert {t.duration_s for t in group.tasks} == {2.5}


def test_a_trace_of_1_3_names_parents_and_falls_back_to_programs(tmp_path):
    tasks = [
        {"name": "x", "parents": [], "runtime": 1, "command": {"program": "/bin/cut"}},
        {"name": "y", "parents": ["x"], "runtime": 2, "command": {"program": "join"}},
    ]
    path = tmp_path / "own.json"
    path.write_text(json.dumps({"workflow": {"tasks": tasks}}))
    group = read_wfformat(path, max_concurrency=2)
    assert [t.task_type for t in group.tasks] == ["cut", "join"]
    assert [t.depends_on for t in group.tasks] == [(), ("x",)]


def test_a_figure_is_held_against_what_is_asked():
    assert [Row("x", v, "s", 3, 1).verdict for v in (1, 2, 4)] == ["aim", "must", "MISSED"]
    assert Row("x", 4, "x", 3, 5, more_is_better=True).verdict == "must"
    assert Row("x", 9).verdict == ""

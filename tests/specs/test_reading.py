"""Text is read within bounds: nothing deep, twice given, endless or executable comes through."""

import pytest

from executions import specs
from executions.specs.reading import read
from tests.specs.builders import faults_of


def fault(text, kind=None, max_bytes=specs.SPEC_BYTES) -> str:
    with pytest.raises(specs.SpecInvalidError) as caught:
        read(text, kind, max_bytes)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", "key 'a' is given twice (line 3, column 1)"),
        ('{"a": 1, "a": 2}', "key 'a' is given twice"),
        ('{"a": {"b": NaN}}', "a.b: must be a finite number"),
        ('{"a": 1e999}', "a: must be a finite number"),
        ("a: .inf", "a: must be a finite number"),
        ("a: &x [*x]", "stands for nothing whole before it"),
        ("a: !!python/object/apply:os.system [id]", "could not determine a constructor"),
        ("a: !!timestamp 2024-01-01", "could not determine a constructor"),
        ("a: [1", "(line 2, column 1)"),
        ('{"a": 1', "line 1, column 8"),
        ("a: {1: x}", "a: key 1 is not plain text"),
        ('{"a": "\\u0000"}', "a: holds a NUL or half a character"),
        ('{"a": "\\ud800"}', "a: holds a NUL or half a character"),
        (b"name: \xff", "is not UTF-8 text (byte 6)"),
        ("[" * 41 + "]" * 41, "is nested deeper than 40"),
        ("[" * 200_000, "is nested deeper than 40"),
        ("a: " + "[" * 40 + "]" * 40, "is nested deeper than 40"),
        ("--- 1\n--- 2", "expected a single document"),
        ('{"a": ' + "9" * 5000 + "}", "is not JSON"),
    ],
)
def test_bad_text_is_one_fault(text, message):
    assert message in fault(text)


def test_aliases_that_multiply_are_refused_before_they_are_made():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    assert "aliases add more than 1,000,000 nodes" in fault("\n".join(lines))


def test_anchors_and_merge_keys_within_bounds_work():
    text = "base: &b {team: t, priority: 1}\ntask: {<<: *b, priority: 2}"
    assert read(text, None, 1000)["task"] == {"team": "t", "priority": 2}


def test_size_is_taken_up_to_the_limit_and_not_one_beyond():
    assert read(b"a: 1", None, 4) == {"a": 1}
    assert fault(b"a: 1", None, 3) == "has more than the 3 bytes that are taken"


def test_words_stay_words_and_switches_are_switches():
    text = "{a: 2024-01-01, b: 1:30, c: on, d: 1e3, e: 0o7, f: 1_000}"
    read_as = {"a": "2024-01-01", "b": "1:30", "c": True, "d": 1000.0, "e": "0o7", "f": "1_000"}
    assert read(text, "yaml", 1000) == read_as


def test_csv_is_a_plain_list_of_tasks():
    text = (
        "id,title,priority,depends_on,required_resources,duration_s,command\n"
        'A,"One, two",70,,db!,1.5,\n'
        "B,,,A,lic:2;db,,make\n"
    )
    first, second = specs.parse(text).tasks
    assert (first.title, first.priority, first.duration_s) == ("One, two", 70, 1.5)
    assert first.required_resources[0].exclusive
    assert second.depends_on == ["A"]
    assert [(n.id, n.amount) for n in second.required_resources] == [("lic", 2), ("db", 1)]
    assert (second.runner, second.payload) == ("shell", {"command": "make"})


def test_csv_faults_have_places():
    with pytest.raises(specs.SpecInvalidError, match="unknown column 'colour'"):
        specs.parse("id,colour\nA,red\n", format="csv")
    with pytest.raises(specs.SpecInvalidError, match=r"\Acolumn 'id' is given twice\Z"):
        specs.parse("id,title,id\nA,B,C\n", format="csv")
    with pytest.raises(
        specs.SpecInvalidError, match=r"\Atasks\[1\]: has more cells than there are"
    ):
        specs.parse("id,title\nA,B\nC,D,E\n", format="csv")
    with pytest.raises(specs.SpecInvalidError, match=r"tasks\[0\].payload: is not JSON"):
        specs.parse("id,payload\nA,{\n", format="csv")
    assert "tasks[0].priority: must be a valid integer" in faults_of("id,priority\nA,high\n")

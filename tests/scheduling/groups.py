"""Random small task groups over a small site, for properties."""

from __future__ import annotations

from hypothesis import strategies as st

from executions.scheduling.model import Group, OnCriticalFailure, Requirement, Strategy, Task

TEAMS = ("red", "blue")
TYPES = ("api", "heavy")
RESOURCES = ("db", "gpu")
KEYS = tuple(
    [f"team:{t}" for t in TEAMS]
    + [f"task_type:{t}" for t in TYPES]
    + [f"resource:{r}" for r in RESOURCES]
)
AMPLE = dict.fromkeys(KEYS, 6)

limits = st.fixed_dictionaries({key: st.integers(0, 4) for key in KEYS})
open_limits = st.fixed_dictionaries({key: st.integers(2, 4) for key in KEYS})
requirements = st.lists(
    st.builds(
        Requirement, st.sampled_from(RESOURCES), amount=st.integers(1, 2), exclusive=st.booleans()
    ),
    max_size=2,
    unique_by=lambda requirement: requirement.resource,
).map(tuple)


@st.composite
def groups(draw, *, most=8, external=True, timed=True):
    count = draw(st.integers(1, most))
    tasks = []
    for i in range(count):
        earlier = [task.id for task in tasks]
        depends_on = (
            draw(st.lists(st.sampled_from(earlier), max_size=2, unique=True)) if earlier else ()
        )
        tasks.append(
            Task(
                f"T{i}",
                priority=draw(st.sampled_from((10, 50, 50, 95))),
                team=draw(st.sampled_from((None, *TEAMS))),
                task_type=draw(st.sampled_from((None, None, *TYPES))),
                requirements=draw(requirements),
                depends_on=tuple(depends_on),
                duration_s=draw(st.sampled_from((None, 0.0, 1.0, 2.5, 4.0))),
                timeout_s=draw(st.sampled_from((None, 5.0))) if timed else None,
                max_retries=draw(st.sampled_from((None, 0, 1))),
                needs_worker=not external or draw(st.integers(0, 5)) > 0,
            )
        )
    return Group(
        "group",
        tuple(draw(st.permutations(tasks))),
        max_concurrency=draw(st.integers(1, 5)),
        strategy=draw(st.sampled_from(Strategy)),
        max_retries=draw(st.integers(0, 2)),
        retry_on_lost=draw(st.integers(0, 2)),
        run_timeout_s=draw(st.sampled_from((None, None, None, 20.0))) if timed else None,
        critical_first=draw(st.booleans()),
        on_critical_failure=draw(st.sampled_from(OnCriticalFailure)),
        limits=draw(st.sampled_from(({}, {"team:red": 1}, {"resource:db": 2}))),
    )

"""Small random groups that can run on one fixed site, for the tests of planning."""

from hypothesis import strategies as st

from tests.scheduling.builders import alone, group, site, task, units

SITE = site(
    team_dev=2, team_qa=1, task_type_api=2, task_type_heavy=1, resource_db=3, resource_disk=1
)
NEEDS = st.sampled_from(
    [(), (), (units("db"),), (units("db", 2),), (alone("db"),), (units("disk"), units("db"))]
)


@st.composite
def groups(draw, most=9):
    count = draw(st.integers(1, most))
    tasks = []
    for number in range(count):
        needed = draw(st.sets(st.integers(0, number - 1), max_size=2)) if number else set()
        tasks.append(
            task(
                f"T{number}",
                *(f"T{n}" for n in sorted(needed)),
                needs=draw(NEEDS),
                priority=draw(st.sampled_from([50, 50, 50, 80])),
                team=draw(st.sampled_from([None, "dev", "qa"])),
                task_type=draw(st.sampled_from([None, "api", "heavy"])),
                duration_s=float(draw(st.integers(0, 6))),
            )
        )
    return group(*tasks, max_concurrency=draw(st.integers(1, 4)))

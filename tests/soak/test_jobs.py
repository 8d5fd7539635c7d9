from __future__ import annotations

from bench.soak.jobs import UPLOADS, WEIGHTS, Scenario, draw_jobs


def draw(seed: int, uploads: int) -> list[tuple[Scenario, str, str, float]]:
    users = [f"User{number}" for number in range(5)]
    return [(job.scenario, job.username, job.stranger, job.dice.random()) for job in draw_jobs(seed, users, uploads)]


def test_the_same_seed_draws_the_same_jobs() -> None:
    assert draw(1, 300) == draw(1, 300)
    assert draw(1, 300) != draw(2, 300)


def test_there_are_as_many_uploads_as_wanted_and_jobs_of_each_scenario() -> None:
    for uploads in (1, 2, 999):
        assert sum(UPLOADS[scenario] for scenario, *_ in draw(3, uploads)) == uploads
    assert {scenario for scenario, *_ in draw(3, 999)} == set(Scenario) == set(WEIGHTS)


def test_a_stranger_is_somebody_else() -> None:
    assert all(username != stranger for _, username, stranger, _ in draw(4, 300))

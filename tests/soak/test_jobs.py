from __future__ import annotations

from bench.soak.jobs import UPLOADS, WEIGHTS, Scenario, draw_jobs


def draw(seed: int, uploads: int) -> list[tuple[Scenario, str, str, float]]:
    users = [f"User{number}" for number in range(5)]
    return [(job.scenario, job.username, job.other_user, job.dice.random()) for job in draw_jobs(seed, users, uploads)]


def test_the_same_seed_draws_the_same_jobs() -> None:
    assert draw(1, 300) == draw(1, 300)
    assert draw(1, 300) != draw(2, 300)


def test_the_jobs_make_the_given_number_of_uploads_in_all_scenarios() -> None:
    for uploads in (1, 2, 999):
        assert sum(UPLOADS[scenario] for scenario, *_ in draw(3, uploads)) == uploads
    assert {scenario for scenario, *_ in draw(3, 999)} == set(Scenario) == set(WEIGHTS)


def test_the_other_user_is_a_different_one() -> None:
    assert all(username != other_user for _, username, other_user, _ in draw(4, 300))

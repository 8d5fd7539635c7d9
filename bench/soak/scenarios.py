"""The requests of each scenario. The client judges the responses."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import uuid_utils

from bench.soak.client import Upload
from bench.soak.jobs import Scenario
from bench.soak.judge import Case
from services.store import keys
from services.store.kinds import AVATAR
from services.uploads.strategies import STRATEGIES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from bench.soak.client import Client
    from bench.soak.files import Files
    from bench.soak.jobs import Job

    Play = Callable[[Client, Job, Files], Awaitable[None]]

MAX_REPEATS = 2
MAX_POSTS = 4


async def play(client: Client, job: Job, files: Files) -> None:
    client.shared.counts.scenarios[job.scenario.value] += 1
    await _PLAYS[job.scenario](client, job, files)


async def _confirm(client: Client, job: Job, files: Files) -> None:
    if upload := await _upload_good(client, job, files):
        await client.confirm(upload, Case.GOOD)


async def _repeat(client: Client, job: Job, files: Files) -> None:
    upload = await _upload_good(client, job, files)
    if upload is None:
        return
    repeats = job.dice.randint(1, MAX_REPEATS)
    at_once = job.dice.randint(0, repeats)
    await asyncio.gather(*(client.confirm(upload, Case.GOOD) for _ in range(1 + at_once)))
    for _ in range(repeats - at_once):
        await client.confirm(upload, Case.GOOD)


async def _race(client: Client, job: Job, files: Files) -> None:
    racing = [await _upload_good(client, job, files) for _ in range(2)]
    job.dice.shuffle(racing)
    await asyncio.gather(*(client.confirm(upload, Case.GOOD) for upload in racing if upload))


async def _abandon(client: Client, job: Job, files: Files) -> None:
    await client.upload(job.username, job.dice.choice([*files.good, files.invalid]))


async def _post_again(client: Client, job: Job, files: Files) -> None:
    first, other = job.dice.sample(files.good, 2)
    upload = await client.upload(job.username, first)
    if upload is None:
        return
    await client.confirm(upload, Case.GOOD)
    await client.post_other(upload, job.dice.choice([other, files.invalid]))
    if await client.post(upload, first) and job.dice.random() < 1 / 2:
        await client.confirm(upload, Case.GOOD)


async def _post_during(client: Client, job: Job, files: Files) -> None:
    file = job.dice.choice(files.good)
    upload = await client.upload(job.username, file)
    if upload is None:
        return

    async def post() -> None:
        for _ in range(job.dice.randint(1, MAX_POSTS)):
            await client.post(upload, file)

    await asyncio.gather(client.confirm(upload, Case.CHANGING), post())
    if job.dice.random() < 1 / 2:
        await client.confirm(upload, Case.GOOD)


async def _invalid(client: Client, job: Job, files: Files) -> None:
    upload = await client.upload(job.username, files.invalid)
    if upload is None:
        return
    await client.confirm(upload, Case.INVALID)
    await client.post_other(upload, job.dice.choice(files.good))


async def _foreign(client: Client, job: Job, files: Files) -> None:
    upload = await _upload_good(client, job, files)
    if upload is None:
        return
    # In half of the jobs the owner confirms concurrently. It must make no difference.
    await asyncio.gather(
        client.confirm(upload, Case.UNKNOWN, by=job.other_user),
        *(client.confirm(upload, Case.GOOD) for _ in range(job.dice.randint(0, 1))),
    )
    await client.confirm(upload, Case.GOOD)


async def _unknown(client: Client, job: Job, files: Files) -> None:
    upload_id = keys.UploadId(str(uuid_utils.uuid7(nanoseconds=time.time_ns())))
    invented = keys.Upload(AVATAR, upload_id)
    strategy = STRATEGIES[client.shared.strategy]
    (other,) = (other for name, other in STRATEGIES.items() if name != client.shared.strategy)
    case = job.dice.choice([Case.UNKNOWN, Case.NO_KEY, Case.OTHER_STRATEGYS_KEY])
    if case is Case.UNKNOWN and job.dice.random() < 1 / 2:
        presigned = await client.presign(job.username, files.invalid)
        if presigned:
            await client.confirm(presigned, case)
        return
    key = {
        Case.UNKNOWN: strategy.posted_key(invented),
        Case.NO_KEY: job.dice.choice(
            ["", "avatars/", "pending/../avatars/x", strategy.posted_prefix(AVATAR) + upload_id.text.upper()]
        ),
        Case.OTHER_STRATEGYS_KEY: other.posted_key(invented),
    }[case]
    await client.confirm(Upload(job.username, key, invented.permanent_key), case)


async def _upload_good(client: Client, job: Job, files: Files) -> Upload | None:
    return await client.upload(job.username, job.dice.choice(files.good))


_PLAYS: Mapping[Scenario, Play] = {
    Scenario.CONFIRM: _confirm,
    Scenario.REPEAT: _repeat,
    Scenario.RACE: _race,
    Scenario.ABANDON: _abandon,
    Scenario.POST_AGAIN: _post_again,
    Scenario.POST_DURING: _post_during,
    Scenario.INVALID: _invalid,
    Scenario.FOREIGN: _foreign,
    Scenario.UNKNOWN: _unknown,
}

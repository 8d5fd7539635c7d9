"""The demo's route that sets it back to its first state."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from infra.local.command_endpoint import RESET_PATH
from infra.local.emulator.lifecycle import LIFECYCLE_PATH
from infra.local.faults import FAULTS_PATH, Fault
from infra.local.ports import HOST, pick_free_ports
from infra.local.resources import create_resources
from infra.local.stack import make_reset_environ, run_processes, start_gateway
from infra.seed.seeds import seed
from services.store.kinds import AVATAR
from services.store.table import NAME, USERNAME, read_value
from tests import web

if TYPE_CHECKING:
    from infra.local.clients import Aws

USERS = 4


def read_state(aws: Aws, name: str) -> tuple[dict[str, str], set[str]]:
    """The users' names, and the keys of the objects, which are those of the rows."""
    rows = aws.dynamodb.scan(TableName=name)["Items"]
    keys = {entry.get("Key", "") for entry in aws.s3.list_objects_v2(Bucket=name).get("Contents", [])}
    assert {avatar for row in rows if (avatar := read_value(AVATAR, row).key)} <= keys
    return {row[USERNAME].get("S", ""): row[NAME].get("S", "") for row in rows}, keys


def test_a_reset_restores_the_seeded_users_the_clock_and_the_network(embedded: Aws) -> None:
    [port] = pick_free_ports(1)
    origin = f"http://localhost:{port}"
    name = f"reset-{uuid.uuid4().hex[:12]}"
    resources = create_resources(embedded, origin, name)
    seed(embedded.s3, embedded.dynamodb, name, name, USERS)
    users, objects = read_state(embedded, name)
    reset = make_reset_environ(embedded, resources, USERS)
    with run_processes() as processes, web.Client(base_url=origin) as http:
        start_gateway(
            processes, {"auth": f"http://{HOST}:9"}, embedded, origin, port, commands={RESET_PATH: reset}
        ).wait_until_ready()
        row: Any = {USERNAME: {"S": "mallory"}, NAME: {"S": "Mallory"}}
        embedded.dynamodb.put_item(TableName=name, Item=row)
        embedded.dynamodb.delete_item(TableName=name, Key={USERNAME: {"S": min(users)}})
        for number in range(3):
            embedded.s3.put_object(Bucket=name, Key=f"pending/{number}", Body=b"x")
        http.post(LIFECYCLE_PATH, json={"days": 1}).raise_for_status()
        http.post(FAULTS_PATH, json={"fault": Fault.SLOW_NETWORK}).raise_for_status()

        report = http.post(RESET_PATH, json={}).raise_for_status().json()
        assert report == {"deleted_rows": USERS, "deleted_objects": len(objects) + 3, "users": USERS}
        restored, keys = read_state(embedded, name)
        assert restored == users
        assert len(keys) == len(objects)
        assert not keys & objects
        assert http.get(LIFECYCLE_PATH).json()["days_ahead"] == 0
        assert http.get(FAULTS_PATH).json() == {"fault": None}

"""An AWS account whose S3, DynamoDB, KMS and IAM are those of an emulator."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from botocore.exceptions import ClientError

from tests.infra.applied.resources import SERVICES, Kind, make_kinds
from tests.infra.cloud import Cloud, RefusedError, find_token

if TYPE_CHECKING:
    from infra.local.clients import Aws
    from tests.infra.cloud import Properties, Resource

DETERMINED = ("arn", "keyId", "uniqueId")
"""Outputs that the emulator determines."""


@dataclass
class EmulatedCloud(Cloud):
    """Each creation, update and deletion is applied to the emulator. A refresh sees what exists there."""

    aws: Aws = field(kw_only=True)

    def __post_init__(self) -> None:
        self._kinds = make_kinds(self.aws)

    def add(self, urn: str, identity: str, inputs: Properties, outputs: Properties) -> None:
        super().add(urn, identity, inputs, outputs)
        if (kind := self._find_kind(urn)) and not kind.exists(outputs):
            kind.create(inputs)

    def create(self, urn: str, inputs: Properties) -> Resource:
        resource = super().create(urn, inputs)
        if kind := self._find_kind(urn):
            try:
                resource.outputs |= kind.create(inputs)
            except ClientError as error:
                super().delete(urn, resource.id, resource.outputs)
                _refuse(error)
        return resource

    def read(self, urn: str, identity: str, outputs: Properties) -> Resource | None:
        resource = super().read(urn, identity, outputs)
        if resource and (kind := self._find_kind(urn)) and not kind.exists(resource.outputs):
            return None
        return resource

    def update(self, urn: str, identity: str, outputs: Properties, inputs: Properties) -> Resource:
        resource = super().update(urn, identity, outputs, inputs)
        if kind := self._find_kind(urn):
            resource.outputs |= {name: outputs[name] for name in DETERMINED if name in outputs}
            try:
                kind.update(resource.outputs, inputs)
            except ClientError as error:
                _refuse(error)
        return resource

    def delete(self, urn: str, identity: str, outputs: Properties) -> None:
        resource = super().read(urn, identity, outputs)
        super().delete(urn, identity, outputs)
        if resource and (kind := self._find_kind(urn)):
            try:
                kind.delete(resource.outputs)
            except ClientError as error:
                _refuse(error)

    def _find_kind(self, urn: str) -> Kind | None:
        """
        Raises:
            LookupError: the resource is of an applied service, and its type is not known.
        """
        token = find_token(urn)
        if token.startswith(SERVICES) and token not in self._kinds:
            raise LookupError(f"tests/infra/applied/resources.py has no entry for {token}.")
        return self._kinds.get(token)


def _refuse(error: ClientError) -> NoReturn:
    raise RefusedError(str(error)) from error

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pulumi
import pulumi_aws as aws
import pulumi_docker_build as docker_build

ROOT = Path(__file__).parents[2]
KEPT_IMAGES = 10
PLATFORMS = {"ARM64": docker_build.Platform.LINUX_ARM64, "X86_64": docker_build.Platform.LINUX_AMD64}


class Image(pulumi.ComponentResource):
    """The image of a service, built on this machine and pushed to an ECR repository.

    Tasks refer to the image by its digest. Its tag is a hash of the files that it is built from.
    """

    def __init__(self, service: str, *, architecture: str, opts: pulumi.ResourceOptions) -> None:
        super().__init__("three-phase-upload:infra:Image", service, None, opts)
        child_opts = pulumi.ResourceOptions(parent=self)
        repository = aws.ecr.Repository(
            service,
            # After an interrupted update, the next one may push the same tag again.
            image_tag_mutability="MUTABLE",
            image_scanning_configuration={"scan_on_push": True},
            force_delete=True,
            opts=child_opts,
        )
        aws.ecr.LifecyclePolicy(
            service,
            repository=repository.name,
            policy=json.dumps(
                {
                    "rules": [
                        {
                            "rulePriority": 1,
                            "description": f"Keep the last {KEPT_IMAGES} images, for a rollback",
                            "selection": {
                                "tagStatus": "any",
                                "countType": "imageCountMoreThan",
                                "countNumber": KEPT_IMAGES,
                            },
                            "action": {"type": "expire"},
                        }
                    ]
                }
            ),
            opts=child_opts,
        )
        login = aws.ecr.get_authorization_token_output(
            registry_id=repository.registry_id, opts=pulumi.InvokeOutputOptions(parent=self)
        )
        image = docker_build.Image(
            service,
            # A relative path, so that the stack's state does not depend on where the repository was cloned.
            context={"location": ".."},
            dockerfile={"location": "../Dockerfile"},
            build_args={"SERVICE": service},
            platforms=[PLATFORMS[architecture]],
            tags=[pulumi.Output.concat(repository.repository_url, ":", hash_contents(service))],
            push=True,
            build_on_preview=False,
            registries=[
                {
                    "address": repository.repository_url,
                    "username": login.user_name,
                    "password": pulumi.Output.secret(login.password),
                }
            ],
            opts=child_opts,
        )
        self.ref = image.ref
        self.repository_arn = repository.arn
        self.register_outputs({"ref": self.ref})


def hash_contents(service: str) -> str:
    """Hash of the Dockerfile, the requirements and the code that the image is built from."""
    digest = hashlib.sha256()
    code = (path for path in (ROOT / "services").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    for path in sorted([ROOT / "Dockerfile", ROOT / "requirements" / f"{service}.txt", *code]):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return base64.b32encode(digest.digest()).decode().lower()[:16]

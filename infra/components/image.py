from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws
import pulumi_docker_build as docker_build

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
CONTEXTS = ".images"
"""Folder of the build contexts, beside `Pulumi.yaml`."""
KEPT_IMAGES = 100
"""ECR counts by the time of the push, failed deployments included. It deletes the image in use only after a hundred of
them in a row. A hundred images of 60 MB cost 0.60 dollars a month.
"""
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
            # A repository has one policy. Pulumi would create the new one first, and then delete it as the old one.
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        login = aws.ecr.get_authorization_token_output(
            registry_id=repository.registry_id, opts=pulumi.InvokeOutputOptions(parent=self)
        )
        files = read_files(service)
        write_context(files, ROOT / "infra" / CONTEXTS / service)
        image = docker_build.Image(
            service,
            # A relative path, so that the stack's state does not depend on where the repository was cloned.
            context={"location": f"{CONTEXTS}/{service}"},
            dockerfile={"location": f"{CONTEXTS}/{service}/Dockerfile"},
            build_args={"SERVICE": service},
            platforms=[PLATFORMS[architecture]],
            tags=[pulumi.Output.concat(repository.repository_url, ":", hash_files(files))],
            push=True,
            build_on_preview=False,
            registries=[
                {
                    "address": repository.repository_url,
                    "username": login.user_name,
                    "password": pulumi.Output.secret(login.password),
                }
            ],
            # The repository is destroyed with its images. Pulumi would delete each image before, with the password in
            # the stack's state, which is valid for twelve hours.
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True),
        )
        self.ref = pulumi.Output.concat(repository.repository_url, "@", image.digest)
        self.repository_arn = repository.arn
        self.register_outputs({"ref": self.ref})


def read_files(service: str) -> dict[Path, bytes]:
    """The Dockerfile, the requirements and the code that the image is built from, by relative path."""
    code = (path for path in (ROOT / "services").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    paths = [ROOT / "Dockerfile", ROOT / "requirements" / f"{service}.txt", *code]
    return {path.relative_to(ROOT): path.read_bytes() for path in sorted(paths)}


def write_context(files: Mapping[Path, bytes], folder: Path) -> None:
    """Make these the only files of the folder, with the same modes on every machine.

    Pulumi's hash of a build context includes the modes, which depend on the umask of whoever cloned the repository.
    """
    for path in [path for path in folder.rglob("*") if path.is_file() and path.relative_to(folder) not in files]:
        path.unlink()
    for path in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        if not any(path.iterdir()):
            path.rmdir()
    for path, content in files.items():
        copy = folder / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        if not copy.is_file() or copy.read_bytes() != content:
            copy.write_bytes(content)
        copy.chmod(0o644)
    for path in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        path.chmod(0o755)


def hash_files(files: Mapping[Path, bytes]) -> str:
    """Hash of the paths and the contents."""
    digest = hashlib.sha256()
    for path, content in files.items():
        digest.update(path.as_posix().encode() + b"\0" + content + b"\0")
    return base64.b32encode(digest.digest()).decode().lower()[:16]

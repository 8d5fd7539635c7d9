# pyright: basic
# Django ships no types.
"""django-s3-file-field in a project of one file, served by gunicorn with threads as in Django's documentation."""

from __future__ import annotations

import os

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import include, path

settings.configure(
    SECRET_KEY="a secret of the benchmark's",  # noqa: S106 - it protects nothing
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework", "s3_file_field"],
    REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": []},
    STORAGES={
        "default": {
            "BACKEND": "storages.backends.s3.S3Storage",
            "OPTIONS": {"bucket_name": os.environ["BUCKET"], "region_name": os.environ["AWS_REGION"]},
        }
    },
    LOGGING_CONFIG=None,
)
django.setup()

from django.db import models  # noqa: E402 - needs django.setup()
from s3_file_field.fields import S3FileField  # noqa: E402


class Picture(models.Model):  # noqa: DJ008 - no instance is ever shown
    file = S3FileField()

    class Meta:
        app_label = "pictures"


def health(_request: HttpRequest) -> JsonResponse:
    return JsonResponse({})


urlpatterns = [path("api/", include("s3_file_field.urls")), path("health", health)]

application = get_wsgi_application()

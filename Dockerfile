# One service's image: docker build --build-arg SERVICE=uploads .
# It has no "syntax" line, which would make the builder pull another image.
ARG PYTHON=python:3.13-slim
ARG SERVICE

FROM ${PYTHON} AS build
ARG UV=0.13.9
RUN python -m pip install --quiet --no-cache-dir --disable-pip-version-check --root-user-action ignore "uv==${UV}"
ARG SERVICE
COPY requirements/${SERVICE}.txt /requirements.txt
# Wheels only: no compiler and no build script of a package runs.
RUN --mount=type=cache,target=/cache \
    UV_CACHE_DIR=/cache uv pip install --quiet --python /usr/local/bin/python --target /packages --link-mode copy \
        --require-hashes --only-binary :all: --requirements /requirements.txt \
 && rm -rf /packages/bin /packages/.lock
# botocore has a folder for each AWS service, and looks into all of them at a start.
RUN find /packages/botocore/data -mindepth 1 -maxdepth 1 -type d \
        ! -name dynamodb ! -name kms ! -name s3 ! -name sts -exec rm -r {} +
COPY services/__init__.py /app/services/
COPY services/web /app/services/web
COPY services/store /app/services/store
COPY services/pictures /app/services/pictures
COPY services/settings /app/services/settings
COPY services/${SERVICE} /app/services/${SERVICE}
# Compiled here, since the root file system is read-only at run time. With "unchecked" hashes, copying does not make the
# bytecode stale. Without Faker and Pygments, which are large: Litestar requires them, but no service imports them.
RUN python -m compileall -q -j 0 -x '/(faker|pygments)/' --invalidation-mode unchecked-hash /packages /app \
 && chmod -R a+rX /packages /app

FROM ${PYTHON} AS run
# The official image has no bytecode of the standard library, so every start would compile it again.
RUN python -m pip uninstall --quiet --yes --root-user-action ignore pip \
 && library=$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))') \
 && rm -rf "$library/ensurepip" \
 && python -m compileall -q -j 0 -x 'site-packages|idlelib|tkinter|turtle|test' "$library"
# Two malloc arenas save memory. By default malloc creates one for nearly each thread that waits for AWS.
ENV PYTHONPATH=/app:/packages PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOST=0.0.0.0 PORT=8000 MALLOC_ARENA_MAX=2
WORKDIR /app
COPY --from=build /packages /packages
COPY --from=build /app /app
USER 10001:10001
EXPOSE 8000

FROM run AS service-auth
CMD ["python", "-m", "services.auth"]

FROM run AS service-uploads
# The sweep (python -m services.uploads.sweep) sorts in a temporary file.
VOLUME /tmp
CMD ["python", "-m", "services.uploads"]

FROM run AS service-frontend
CMD ["python", "-m", "services.frontend"]

FROM service-${SERVICE}
ARG SERVICE
ARG VERSION
ARG SOURCE
LABEL org.opencontainers.image.title="three-phase-upload ${SERVICE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.source="${SOURCE}"

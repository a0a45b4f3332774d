# The bot on a real PostgreSQL: `docker run … apv-bot migrate`, then `serve`. Settings come from the environment.

FROM python:3.13-slim-bookworm AS build
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements.lock ./
# Every version comes from the lock: the folder holds nothing else.
# hadolint ignore=DL3013
RUN pip wheel --quiet --require-hashes --wheel-dir /wheels --requirement requirements.lock \
    && pip install --quiet --upgrade --no-index --find-links /wheels setuptools
COPY . ./
# No index: only packages of the lock can be installed. The embedded PostgreSQL is in the lock, but is not installed.
# hadolint ignore=DL3013
RUN pip wheel --quiet --no-index --no-build-isolation --no-deps --wheel-dir /wheels . \
    && python -m venv --without-pip /opt/apv-bot \
    && pip --python /opt/apv-bot/bin/python install --quiet --no-index --find-links /wheels apv-bot

FROM python:3.13-slim-bookworm
# git applies the patches. Its version follows Debian's security updates.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/apv-bot /opt/apv-bot
ENV PATH=/opt/apv-bot/bin:$PATH PYTHONUNBUFFERED=1 HOST=0.0.0.0 PORT=8003
# A number, so that Kubernetes can check that it is not root.
USER 10001:10001
WORKDIR /var/lib/apv-bot
EXPOSE 8003
HEALTHCHECK --interval=15s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ['PORT']}/health\", timeout=2)"]
ENTRYPOINT ["apv-bot"]
CMD ["serve"]

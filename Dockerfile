# Valise's services, one image for all: `valise run ingest|classify|search`, `valise provision`.
# Any base with Python 3.11 to 3.13 and openssl will do; both stages must have the same.
ARG BASE=docker.io/library/python:3.11-slim-bookworm

FROM ${BASE} AS build
# Where pip finds packages, and whom it trusts, where that is not the usual (build arguments).
ARG PIP_INDEX_URL
ARG PIP_CERT
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ONLY_BINARY=:all:
WORKDIR /src
RUN python3 -m venv /opt/tools && python3 -m venv --without-pip /opt/valise
COPY requirements.lock pyproject.toml tools/image_lock.py ./
# What the services need, from the lock with its hashes; the tools of tests stay out.
RUN /opt/tools/bin/python image_lock.py pyproject.toml requirements.lock services > image.lock \
 && /opt/tools/bin/python image_lock.py pyproject.toml requirements.lock build > build.lock \
 && /opt/tools/bin/pip --python /opt/valise/bin/python install --quiet --require-hashes \
    --no-deps -r image.lock \
 && /opt/tools/bin/pip install --quiet --require-hashes --no-deps -r build.lock
COPY README.md LICENSE NOTICE ./
COPY schemas schemas
COPY services services
RUN PIP_ONLY_BINARY= /opt/tools/bin/pip wheel --quiet --no-deps --no-build-isolation -w dist . \
 && /opt/tools/bin/pip --python /opt/valise/bin/python install --quiet --no-deps dist/*.whl \
 && /opt/tools/bin/pip --python /opt/valise/bin/python check \
 && /opt/valise/bin/valise --help > /dev/null

FROM ${BASE}
RUN groupadd --gid 10001 valise \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent \
    --shell /usr/sbin/nologin valise \
 && mkdir -p /var/lib/valise/originals /var/lib/valise/first-key && chown -R 10001:10001 /var/lib/valise
COPY --from=build /opt/valise /opt/valise
ENV PATH=/opt/valise/bin:/usr/local/bin:/usr/bin:/bin \
    LANG=C.UTF-8 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000
ENTRYPOINT ["valise"]
CMD ["--help"]

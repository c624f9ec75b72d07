# Two images: `panel` (the default) for panel, watcher and worker, and `proxy`, an OpenSIPS with the modules of
# the guide and MI over HTTP. docker-compose.yml puts them together. Neither runs as root, none holds a secret.

FROM debian:12-slim AS proxy
ARG OPENSIPS_VERSION=3.6
# The user is made before the package would, so that its number is known to docker-compose.yml.
RUN useradd --system --uid 10002 --home-dir /run/opensips --shell /usr/sbin/nologin opensips \
    && apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates curl
ADD --chmod=644 https://apt.opensips.org/opensips-org.gpg /usr/share/keyrings/opensips.gpg
RUN echo "deb [signed-by=/usr/share/keyrings/opensips.gpg] https://apt.opensips.org bookworm ${OPENSIPS_VERSION}-releases" \
        >/etc/apt/sources.list.d/opensips.list \
    && apt-get update \
    && apt-get install --yes --no-install-recommends \
        opensips opensips-mysql-module opensips-http-modules opensips-dialplan-module \
    && rm -rf /var/lib/apt/lists/*
COPY --chmod=644 docs/deploy/opensips/opensips.cfg /etc/opensips/efcp.cfg
COPY --chmod=755 docs/deploy/opensips/start /usr/local/bin/start-opensips
USER opensips
EXPOSE 5060/udp 8888/tcp
CMD ["start-opensips"]


FROM python:3.11-slim-bookworm AS build
# mysqlclient has no wheel for Linux; everything else comes as wheels.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libmariadb-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
COPY requirements/site.lock /tmp/site.lock
RUN python -m venv /opt/efcp/.venv \
    && /opt/efcp/.venv/bin/pip install --no-cache-dir --require-hashes --requirement /tmp/site.lock


FROM python:3.11-slim-bookworm AS panel
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libmariadb3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home --home-dir /var/lib/efcp --shell /usr/sbin/nologin efcp
WORKDIR /opt/efcp
COPY --from=build /opt/efcp/.venv .venv
COPY manage.py .
COPY efcp efcp
COPY dispatcher dispatcher
COPY dialplan dialplan
COPY templates templates
COPY static static
RUN .venv/bin/python -m compileall -q efcp dispatcher dialplan
ENV PATH=/opt/efcp/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    EFCP_DATA_DIR=/var/lib/efcp \
    EFCP_HOST=0.0.0.0
USER efcp
EXPOSE 8000
CMD ["gunicorn", "--config", "efcp/launch/gunicorn_config.py", "efcp.wsgi"]

# The panel (target `panel`, the default) and a proxy with the modules it speaks to (target `opensips`).

FROM python:3.11-slim AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc libmariadb-dev pkg-config \
 && rm -rf /var/lib/apt/lists/*
COPY requirements/site.lock /tmp/site.lock
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /tmp/site.lock


FROM opensips/opensips:3.4 AS opensips
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      opensips-dialplan-module opensips-http-modules opensips-mysql-module \
 && rm -rf /var/lib/apt/lists/* \
 && mkdir -p /usr/lib/opensips \
 && ln -sfn /usr/lib/*-linux-gnu/opensips/modules /usr/lib/opensips/modules
COPY docs/deploy/opensips.cfg /etc/opensips/opensips.cfg
COPY --chmod=755 docs/deploy/opensips-with-secrets docs/deploy/opensips-alive /usr/local/bin/
USER opensips
EXPOSE 5060/udp
ENTRYPOINT ["opensips"]
# 256 MB shared and 64 MB a process: with the defaults a table of 10,000 destinations does not load.
CMD ["-F", "-m", "256", "-M", "64", "-f", "/etc/opensips/opensips.cfg", "-p", "/usr/local/bin/opensips-with-secrets"]


FROM python:3.11-slim AS panel
RUN apt-get update \
 && apt-get install -y --no-install-recommends libmariadb3 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin efcp \
 && install -d -o efcp -g efcp /var/lib/efcp
COPY --from=build /opt/venv /opt/venv
WORKDIR /opt/efcp
COPY manage.py pyproject.toml ./
COPY efcp efcp
COPY dispatcher dispatcher
COPY dialplan dialplan
COPY templates templates
COPY static static
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    EFCP_DATA_DIR=/var/lib/efcp \
    EFCP_HOST=0.0.0.0
USER efcp
VOLUME /var/lib/efcp
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
  CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/cp/healthz', timeout=4)"]
CMD ["gunicorn", "--config", "efcp/launch/gunicorn_config.py", "efcp.asgi"]

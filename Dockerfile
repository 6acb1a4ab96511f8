# docs/operating.md says how this is used. It is not built in CI.
FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN python -m venv /opt/arangopipe \
    && /opt/arangopipe/bin/pip install --no-cache-dir '.[server,postgres]'

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home --home-dir /data arangopipe \
    && install --directory --owner=arangopipe --group=arangopipe --mode=0700 /data
COPY --from=build /opt/arangopipe /opt/arangopipe
ENV PATH=/opt/arangopipe/bin:$PATH \
    ARANGOPIPE_URL=sqlite:////data/runs.db \
    ARANGOPIPE_HOME=/data/home
USER arangopipe
WORKDIR /data
VOLUME /data
EXPOSE 8321
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8321/health', timeout=3)"]
ENTRYPOINT ["arangopipe"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8321", "--auth"]

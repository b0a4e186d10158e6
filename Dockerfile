# letter-triage as a container: see docs/operations.md. Build: docker build -t letter-triage .
FROM python:3.13-slim

RUN useradd --system --uid 10001 --create-home triage \
 && install -d -o triage -g triage /office /var/cache/letter-triage
COPY pyproject.toml README.md LICENSE /src/
COPY api /src/api
COPY models /src/models
COPY training /src/training
COPY triage /src/triage
RUN pip install --no-cache-dir '/src[postgres]' && rm -rf /src

USER triage
ENV TRIAGE_HOME=/office \
    TRIAGE_HOST=0.0.0.0 \
    NUMBA_CACHE_DIR=/var/cache/letter-triage
# What is compiled on first use is compiled now, and a model trained, then thrown away: a container begins to answer within seconds.
RUN TRIAGE_HOME=/tmp/office triage classify "小区停水三天了没人管" && rm -rf /tmp/office

VOLUME /office
EXPOSE 8016
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8016/healthz', timeout=4)"]
ENTRYPOINT ["triage"]
CMD ["serve"]

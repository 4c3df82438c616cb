# The image of every service of docker-compose.yml that is ours: the wheel and its locked dependencies, no build tools.
FROM python:3.13.15-slim-trixie AS build
WORKDIR /src
COPY requirements/build.lock requirements/runtime.lock requirements/
RUN pip install --no-cache-dir --no-deps --require-hashes --requirement requirements/build.lock \
 && python -m venv --without-pip /opt/chaosproxy \
 && pip --python /opt/chaosproxy install --no-cache-dir --no-deps --require-hashes --requirement requirements/runtime.lock
COPY . .
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /dist . \
 && pip --python /opt/chaosproxy install --no-cache-dir --no-deps /dist/*.whl

FROM python:3.13.15-slim-trixie
COPY --from=build /opt/chaosproxy /opt/chaosproxy
# Results go to a folder that a volume may be put over: it then belongs to the same user.
RUN useradd --uid 10001 --create-home chaos \
 && install --directory --owner=chaos --group=chaos /home/chaos/out
USER 10001
WORKDIR /home/chaos
# The control API of `chaosproxy serve`; a service with another address says so.
ENV PATH=/opt/chaosproxy/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HEALTH_URL=http://127.0.0.1:9101/-/health
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(os.environ['HEALTH_URL'], timeout=2)"]
ENTRYPOINT ["chaosproxy"]
CMD ["--help"]

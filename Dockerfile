# One image for every service of docker-compose.yml: the wheel, its locked dependencies, and no build tools.
FROM python:3.13-slim AS build
WORKDIR /src
COPY . .
RUN python -m venv /opt/chaosproxy \
 && /opt/chaosproxy/bin/pip install --no-cache-dir -r requirements/runtime.lock \
 && /opt/chaosproxy/bin/pip install --no-cache-dir --no-deps .

FROM python:3.13-slim
COPY --from=build /opt/chaosproxy /opt/chaosproxy
ENV PATH=/opt/chaosproxy/bin:$PATH PYTHONUNBUFFERED=1
RUN useradd --create-home chaos
USER chaos
WORKDIR /home/chaos
ENTRYPOINT ["chaosproxy"]
CMD ["--help"]

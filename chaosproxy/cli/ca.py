"""``chaosproxy ca``: a throw-away certificate authority, and a certificate for TLS listeners."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Hosts = Annotated[
    list[str] | None,
    typer.Option(
        "--host", metavar="NAME", help="A host that clients call, such as api.openai.com or '*.example.com'; repeat it."
    ),
]


def ca(
    host: Hosts = None,
    folder: Annotated[str, typer.Option("--dir", metavar="DIR", help="Folder for the files.")] = "chaosproxy-ca",
    days: Annotated[int, typer.Option(metavar="N", min=1, max=397, help="How long both are valid.")] = 30,
    *,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the files.")] = False,
) -> None:
    """Make a throw-away certificate authority and a certificate for TLS listeners; localhost is always in it.

    The authority's own key is never written: nothing else can be signed with it.

    Example: chaosproxy ca --host api.openai.com
    """
    from datetime import UTC, datetime, timedelta
    from pathlib import Path

    from chaosproxy.lab.authority import issue, write

    now = datetime.now(UTC)  # noqa: TID251 - a date in a certificate
    papers = issue(host or [], now=now, lasts=timedelta(days=days))
    write(papers, Path(folder), force=force)
    typer.echo(f"{folder}: ca.pem for clients, cert.pem and key.pem (keep it to yourself) for a listener")
    typer.echo(f"for {', '.join(papers.hosts)}; until {papers.until:%Y-%m-%d %H:%M} UTC\n\nlisten with it:")
    typer.echo(f"  chaosproxy serve {_serve(Path(folder), papers.hosts[0])}\n\nlet clients trust it:")
    for line in _trust(Path(folder).absolute(), papers.hosts[0]):
        typer.echo(f"  {line}")


def _serve(folder: Path, host: str) -> str:
    from shlex import quote

    cert, key = quote(str(folder / "cert.pem")), quote(str(folder / "key.pem"))
    upstream = "https://HOST" if host in _LOCAL or "*" in host else f"https://{_in_url(host)}"
    return f"--upstream {upstream} --listen :8443 --tls-cert {cert} --tls-key {key}"


def _trust(folder: Path, host: str) -> Iterator[str]:
    from shlex import quote

    ca = quote(str(folder / "ca.pem"))
    yield f"export SSL_CERT_FILE={ca}        # Python's SDKs, Go: in place of the system's authorities"
    yield f"export REQUESTS_CA_BUNDLE={ca}   # Python's requests: in place of its own"
    yield f"export NODE_EXTRA_CA_CERTS={ca}  # Node: beside its own"
    name = "localhost" if "*" in host else _in_url(host)
    here = "" if host in _LOCAL or "*" in host else f"--connect-to {name}:8443:127.0.0.1:8443 "
    yield f"curl --cacert {ca} {here}https://{name}:8443/v1/models"


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


_LOCAL = ("localhost", "127.0.0.1", "::1")

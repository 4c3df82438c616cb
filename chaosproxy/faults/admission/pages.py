"""HTML pages of the machines in front of a provider, in our own words and their shape."""

from __future__ import annotations

from chaosproxy.events import Headers
from chaosproxy.faults.admission.answer import phrase

_PAGES = {
    "nginx": "<html>\n<head><title>{title}</title></head>\n<body>\n<center><h1>{title}</h1></center>\n"
    "<hr><center>nginx</center>\n</body>\n</html>\n",
    "cloudflare": '<!DOCTYPE html>\n<html lang="en">\n<head><title>api.example.com | {title}</title></head>\n<body>\n'
    '<div id="cf-wrapper"><h1>{title} <span>Error code {status}</span></h1><p>The web server reported an error.</p>'
    '<div class="cf-footer">Cloudflare Ray ID: 8f0c0ffee0c0ffee</div></div>\n</body>\n</html>\n',
    "login": "<!DOCTYPE html>\n<html>\n<head><title>Sign in</title></head>\n<body>\n"
    '<form method="post" action="/login"><input name="user"><input name="password" type="password">'
    "<button>Sign in</button></form>\n</body>\n</html>\n",
}
_SERVERS: dict[str, Headers] = {
    "nginx": (("server", "nginx"),),
    "cloudflare": (("server", "cloudflare"), ("cf-ray", "8f0c0ffee0c0ffee-FRA")),
    "login": (),
}
FLAVOURS = tuple(_PAGES)


def page(flavour: str, status: int) -> tuple[Headers, bytes]:
    """Header fields and body of a page; ``flavour`` is one of FLAVOURS."""
    title = f"{status} {phrase(status)}".rstrip()
    body = _PAGES[flavour].format(title=title, status=status).encode()
    return (("content-type", "text/html; charset=utf-8"), *_SERVERS[flavour]), body

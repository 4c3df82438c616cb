"""B14: header fields pass unaltered, from the client to the upstream and back.

    pytest experiments/load-balancing-gateway/test_headers.py

GATEWAY is the command of your gateway, with {a}, {b} and {port} in it; see gateway.py beside this file. Between the
gateway and its upstream stands chaosproxy, with nothing broken.
"""

import json
import sys
import threading
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from gateway import gateway

SENT = {
    "Authorization": "Bearer sk-drill",
    "X-Tenant": "a b, c",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "idempotency-key": "drill-1",
}
RETURNED = {"x-request-id": "req-drill", "x-ratelimit-remaining-tokens": "149984", "openai-processing-ms": "42"}
ANSWER = {
    "id": "1",
    "object": "chat.completion",
    "created": 0,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


@contextmanager
def upstream():
    """An upstream's URL, and the header fields of each request that it got."""
    got = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(dict(self.headers.items()))
            self.rfile.read(int(self.headers["content-length"]))
            body = json.dumps(ANSWER).encode()
            self.send_response(200)
            for name, value in {**RETURNED, "content-type": "application/json"}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_header_fields_pass_both_ways(chaos):
    """The same names (whatever their case) with the same values."""
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]}).encode()
    with upstream() as (real, got):
        listener = chaos.wrap(real, "a", dialect="openai.chat")
        with gateway(listener.url, listener.url) as url:
            request = urllib.request.Request(  # noqa: S310 - http
                f"{url}/v1/chat/completions", body, {"content-type": "application/json", **SENT}
            )
            with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
                returned = {name.lower(): value for name, value in response.headers.items()}
    (asked,) = got
    asked = {name.lower(): value for name, value in asked.items()}
    assert {name: asked.get(name.lower()) for name in SENT} == SENT
    assert {name: returned.get(name) for name in RETURNED} == RETURNED

"""A local imitation of the hosts that released weights come from, with every bad habit of servers."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Served:
    """How one address answers. Lists are used up, one entry a request; then it behaves well."""

    content: bytes = b""
    etag: str = '"1"'
    kind: str = "application/octet-stream"
    headers: dict[str, str] = field(default_factory=dict)
    statuses: list[tuple[int, dict[str, str]]] = field(default_factory=list)  # instead of the content
    breaks: list[int] = field(default_factory=list)  # the body ends after so many bytes
    announced: int | None = None  # a false length of the whole
    takes_ranges: bool = True
    shift: int = 0  # a range begins so many bytes too late
    redirect: str = ""
    chunked: bool = False  # no length is announced (RFC 9112, 7.1)
    block: int = 0  # trickle: bytes per `pause`
    pause: float = 0.0


@dataclass
class Asked:
    """One request as it came in."""

    path: str
    headers: Mapping[str, str]

    @property
    def begin(self) -> int | None:
        """First byte of the range asked for."""
        value = self.headers.get("Range", "")
        return int(value.removeprefix("bytes=").partition("-")[0]) if value else None


class Host:
    """A running server; `files` maps a path (with its query, or without) to how it answers."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.files: dict[str, Served] = {}
        self.asked: list[Asked] = []

    def put(self, path: str, content: bytes = b"", **habits: object) -> Served:
        self.files[path] = Served(content, **habits)  # type: ignore[arg-type]
        return self.files[path]

    def found(self, path: str) -> Served | None:
        return self.files.get(path) or self.files.get(path.partition("?")[0])

    def begins(self, path: str = "") -> list[int | None]:
        """The ranges asked for, in order."""
        return [asked.begin for asked in self.asked if asked.path.startswith(path)]


@contextmanager
def running() -> Iterator[Host]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.host = Host(server.server_address[1])  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.host  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *args: object) -> None:
        """Clients go away; that is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer waits 40 ms for an acknowledgement

    def do_GET(self) -> None:
        host: Host = self.server.host  # type: ignore[attr-defined]
        host.asked.append(Asked(self.path, dict(self.headers.items())))
        served = host.found(self.path)
        if served is None:
            self._head(404, {"Content-Length": "0"})
        elif served.statuses:
            status, headers = served.statuses.pop(0)
            self._head(status, {"Content-Length": "0", **headers})
        elif served.redirect:
            self._head(302, {"Location": served.redirect, "Content-Length": "0", **served.headers})
        else:
            self._content(served)

    def _content(self, served: Served) -> None:
        length = served.announced if served.announced is not None else len(served.content)
        begin = self._begin(served)
        headers = {"Content-Type": served.kind, "ETag": served.etag, **served.headers}
        headers = {name: value for name, value in headers.items() if value}
        if begin is None:
            begin, status = 0, 200
        elif begin >= len(served.content):
            self._head(416, {"Content-Range": f"bytes */{len(served.content)}", "Content-Length": "0"})
            return
        else:
            begin, status = begin + served.shift, 206
            headers["Content-Range"] = f"bytes {begin}-{length - 1}/{length}"
        framing = (
            {"Transfer-Encoding": "chunked"} if served.chunked else {"Content-Length": str(length - begin)}
        )
        self._head(status, {**headers, **framing})
        self._body(served, served.content[begin : max(length, begin)])

    def _begin(self, served: Served) -> int | None:
        """First byte of the range that is to be answered, None for the whole."""
        wanted = self.headers.get("Range")
        if not wanted or not served.takes_ranges:
            return None
        if self.headers.get("If-Range", served.etag) not in (
            served.etag,
            served.headers.get("Last-Modified"),
        ):
            return None
        return int(wanted.removeprefix("bytes=").partition("-")[0])

    def _body(self, served: Served, body: bytes) -> None:
        if served.breaks:
            body = body[: served.breaks.pop(0)]
            self.close_connection = True
        elif served.announced is not None:
            self.close_connection = True
        step = served.block or len(body) or 1
        try:
            for place in range(0, len(body), step):
                block = body[place : place + step]
                self.wfile.write(b"%x\r\n%b\r\n" % (len(block), block) if served.chunked else block)
                time.sleep(served.pause)
            if served.chunked and not self.close_connection:
                self.wfile.write(b"0\r\n\r\n")
        except OSError:  # the client went away
            self.close_connection = True

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Quiet."""


def sum_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def drive_folder(names: Mapping[str, str]) -> str:
    """A folder's list as Google Drive embeds it; `names` maps an id to a name."""
    entries = "".join(
        f'<div class="flip-entry" id="entry-{key}" tabindex="0" role="link"><div class="flip-entry-info">'
        f'<a href="https://drive.google.com/file/d/{key}/view?usp=drive_web" target="_blank">'
        '<div class="flip-entry-list-icon"><img src="x.png" alt=""/></div>'
        f'<div class="flip-entry-title">{name}</div></a></div></div>'
        for key, name in names.items()
    )
    return f"<html><head><title>SSV2A</title></head><body><div>{entries}</div></body></html>"


def drive_question(action: str, key: str) -> str:
    """The page that comes before a large file."""
    return (
        "<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title><style>.a{b:c}</style>"
        '</head><body><p class="uc-warning-caption">Google Drive can\'t scan this file for viruses.</p>'
        f'<form id="download-form" action="{action}" method="get">'
        '<input type="submit" id="uc-download-link" value="Download anyway"/>'
        f'<input type="hidden" name="id" value="{key}"><input type="hidden" name="export" value="download">'
        '<input type="hidden" name="confirm" value="t"><input type="hidden" name="uuid" value="a-b&amp;c">'
        "</form></body></html>"
    )


DRIVE_QUOTA = (
    "<html><head><title>Google Drive - Quota exceeded</title><script>var x = 1;</script></head><body>"
    '<p class="uc-error-caption">Sorry, you can&#39;t view or download this file at this time.</p>'
    '<p class="uc-error-subcaption">Too many users have viewed or downloaded this file recently.</p>'
    "</body></html>"
)


def put_drive(host: Host, folder: str, files: Mapping[str, bytes], *, asks_first: bool = True) -> None:
    """Serve a public folder of Google Drive; every file comes behind the question, or directly."""
    names = {f"id-of-{name}": name for name in files}
    page = drive_folder(names).encode()
    host.put(f"/embeddedfolderview?id={folder}", page, kind="text/html; charset=utf-8", etag="")
    for key, name in names.items():
        direct = {"Content-Disposition": f'attachment; filename="{name}"'}
        asked = f"/uc?export=download&id={key}"
        if asks_first:
            question = drive_question(f"{host.address}/download", key).encode()
            host.put(asked, question, kind="text/html; charset=utf-8", etag="")
            asked = f"/download?id={key}&export=download&confirm=t&uuid=a-b%26c"
        host.put(asked, files[name], headers=direct, etag="")

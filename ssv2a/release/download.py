"""One file over HTTP, whatever happens on the way: resumed, retried, checked, then given its name.

An attempt asks for what is missing (`Range`, with `If-Range` so that a changed file is sent whole).
Broken connections and busy servers are tried again after a pause; attempts count against the patience
only while they bring nothing. Nothing gets its final name before its length and its sum are right.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import requests
import urllib3
from loguru import logger

from ssv2a.errors import BundleError, InstallFailed
from ssv2a.release.client import is_page
from ssv2a.release.model import size_text
from ssv2a.release.partial import Content, Partial
from ssv2a.release.room import require_room

BLOCK = 1 << 18  # bytes read at most at a time

Ask = Callable[[Mapping[str, str]], requests.Response]  # headers of the request → answer
Told = Callable[[int, int | None], None]  # bytes here, bytes in all

_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_NO_ADDRESS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
)
_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a download is tried."""

    tries: int = 4  # in a row that bring nothing
    pause: float = 1.0  # seconds after the first; each pause is twice the one before
    longest: float = 60.0  # also what a server may ask for


PATIENCE = Patience()


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that is in its place."""

    bytes: int
    sha256: str
    published: bool  # the host sent the sum along


class _Fruitless(Exception):
    """An attempt ended too early; another may get further."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait  # seconds that the server asks for


def download(
    ask: Ask,
    address: str,
    target: Path,
    *,
    sha256: str = "",
    told: Told = lambda _have, _total: None,
    patience: Patience = PATIENCE,
    sleep: Callable[[float], None] = time.sleep,
) -> Fetched:
    """Fetch one file. What was fetched stays when it fails or is interrupted; the next call goes on there.

    Args:
        ask: sends a request for the file with these headers.
        address: names the file in messages and records.
        target: its final path; the folder exists.
        sha256: the sum that it must have; "": the host's own, if it sends one.
        told: hears how far it is.
        patience: with broken connections and busy servers.
        sleep: waits between attempts.

    Raises:
        InstallFailed: no connection, refused, given up, or too little room on the disk.
        BundleError: what came is not what was published; it is removed.
    """
    with Partial(target, address) as part:
        effort = _Effort(address, patience, part.have)
        resumed = part.have > 0
        while True:
            try:
                published = _attempt(ask, part, address, sha256, told)
                return _checked(part, sha256 or published, bool(published))
            except _Fruitless as trouble:
                sleep(effort.pause(part.have, str(trouble), trouble.wait))
            except _Differs:
                if not resumed:
                    part.drop()
                    raise
                logger.warning("{}: what was joined has not its sum; it is fetched anew", address)
                resumed = False
                part.begin(Content(address, "", None))


class _Effort:
    """Counts the attempts that bring nothing."""

    def __init__(self, address: str, patience: Patience, have: int) -> None:
        self._address = address
        self._patience = patience
        self._furthest = have
        self._fruitless = 0

    def pause(self, have: int, reason: str, asked: float) -> float:
        """Seconds to wait before the next attempt.

        Args:
            have: bytes that are here now.
            reason: why the attempt ended.
            asked: seconds that the server asks for.

        Raises:
            InstallFailed: the patience is at its end.
        """
        self._fruitless = 0 if have > self._furthest else self._fruitless + 1
        self._furthest = max(self._furthest, have)
        patience = self._patience
        doubled = patience.pause * 2.0 ** max(self._fruitless - 1, 0)
        wait: float = max(asked, min(doubled, patience.longest))
        if wait > patience.longest:
            raise self._given_up(f"{reason}, for {wait:.0f} s", have)
        if self._fruitless >= patience.tries:
            raise self._given_up(f"{reason}; the last {self._fruitless} attempts brought nothing", have)
        logger.info("{}: {}; again in {:.0f} s", self._address, reason, wait)
        return wait

    def _given_up(self, reason: str, have: int) -> InstallFailed:
        kept = f" {size_text(have)} are here and stay; the next install goes on there." if have else ""
        return InstallFailed(f"{self._address}: {reason}.{kept}")


class _Differs(BundleError):
    """The content has another sum than it should."""


def _attempt(ask: Ask, part: Partial, address: str, sha256: str, told: Told) -> str:
    """One request, read as far as it goes; returns the sum that the host sent along, or ""."""
    try:
        with ask(_condition(part, bool(sha256))) as answer:
            published = _published(answer)
            if sha256 and published and published != sha256:
                raise BundleError(_other_content(address, sha256, published))
            if _accepted(answer, part, address):
                _read(answer, part, told)
    except _NO_ADDRESS as error:
        raise InstallFailed(f"{address}: {error}. Check HF_ENDPOINT and the proxy settings.") from error
    except requests.RequestException as error:
        if error.response is not None:
            _refuse(error.response, address)
        raise _Fruitless(_cause(error)) from error
    except urllib3.exceptions.HTTPError as error:  # while the body is read
        raise _Fruitless(_cause(error)) from error
    length = part.content.length if part.content else None
    if length is not None and part.have != length:
        raise _Fruitless(f"ended after {part.have} of {length} bytes")
    return published


def _condition(part: Partial, sum_known: bool) -> dict[str, str]:
    """The headers that ask for the rest, none where going on would not be safe."""
    content = part.content
    if content is None or part.have == 0 or not (content.validator or sum_known):
        return {}
    headers = {"Range": f"bytes={part.have}-"}
    return headers | ({"If-Range": content.validator} if content.validator else {})


def _accepted(answer: requests.Response, part: Partial, address: str) -> bool:
    """Prepare the part for the answer's body; False where there is nothing to read any more."""
    found = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    total = int(found[2]) if found and found[2] != "*" else None
    if answer.status_code == requests.codes.requested_range_not_satisfiable:
        if total is not None and total == part.have:
            return False
        part.begin(Content(address, "", None))
        raise _Fruitless("the server has another length of it now; it is fetched anew")
    _refuse(answer, address)
    if is_page(answer):
        raise InstallFailed(f"{address}: expected a file, got a web page. Open the address with a browser.")
    if (coding := answer.headers.get("Content-Encoding", "identity")) != "identity":
        raise InstallFailed(
            f"{address}: expected the file's own bytes, got {coding}; a proxy may be at fault."
        )
    if answer.status_code == requests.codes.partial_content:
        known = part.content.length if part.content else None
        if found is None or found[1] is None or int(found[1]) != part.have or total != (known or total):
            part.begin(Content(address, "", None))
            raise _Fruitless("the server sent another part than was asked for; it is fetched anew")
    else:
        part.begin(Content(address, _validator(answer), _length(answer)))
    length = part.content.length if part.content else None
    require_room(part.path.parent, max(0, (length or 0) - part.have), address)
    return True


def _read(answer: requests.Response, part: Partial, told: Told) -> None:
    length = part.content.length if part.content else None
    have = part.have
    told(have, length)
    # read1 gives what has come; whole blocks would lose what came of a block before the connection broke
    while block := answer.raw.read1(BLOCK, decode_content=False):
        part.write(block)
        have += len(block)
        told(have, length)


def _checked(part: Partial, sha256: str, published: bool) -> Fetched:
    found = part.sha256()
    if sha256 and found != sha256:
        raise _Differs(_other_content(part.address, sha256, found))
    size = part.have
    part.finish()
    return Fetched(size, found, published)


def _refuse(answer: requests.Response, address: str) -> None:
    """Raise for a status that is no success: busy servers are tried again, others are not."""
    status = answer.status_code
    if answer.ok:
        return
    if status in _BUSY:
        raise _Fruitless(f"the server is busy ({status} {answer.reason})", _asked_wait(answer))
    advice = {
        401: "The host asks for an account: for the Hugging Face hub set HF_TOKEN",
        403: "The host does not give it to you: for the Hugging Face hub set HF_TOKEN",
        404: "It is not there any more",
    }.get(status, "The host refuses")
    raise InstallFailed(f"{address}: {status} {answer.reason}. {advice}, or carry the file in (--from).")


def _asked_wait(answer: requests.Response) -> float:
    """Seconds that Retry-After asks for (RFC 9110, 10.2.3: a number or a date)."""
    value = answer.headers.get("Retry-After", "")
    if value.isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())


def _published(answer: requests.Response) -> str:
    """The SHA-256 that the Hugging Face hub sends along, on the answer itself or on a redirection."""
    for step in (*answer.history, answer):
        tag = step.headers.get("X-Linked-Etag", "").removeprefix("W/").strip('"')
        if _SHA256.fullmatch(tag):
            return tag
    return ""


def _validator(answer: requests.Response) -> str:
    """What If-Range may name: a strong ETag, else the date of the last change, else nothing."""
    tag = answer.headers.get("ETag", "")
    return tag if tag.startswith('"') else answer.headers.get("Last-Modified", "")


def _length(answer: requests.Response) -> int | None:
    value = answer.headers.get("Content-Length", "")
    return int(value) if value.isdigit() else None


def _cause(error: BaseException) -> str:
    """The innermost reason of a failed connection, without the wrappings."""
    while (inner := error.__cause__ or error.__context__ or _reason(error)) is not None:
        error = inner
    return str(error) or type(error).__name__


def _reason(error: BaseException) -> BaseException | None:
    inside = getattr(error, "reason", None) or (error.args[0] if error.args else None)
    return inside if isinstance(inside, BaseException) else None


def _other_content(address: str, sha256: str, found: str) -> str:
    return (
        f"{address}: expected SHA-256 {sha256}, got {found}. It is not kept. If it happens again, the "
        "file was changed by its publisher or by a proxy on the way."
    )

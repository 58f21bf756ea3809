"""Pages of Google Drive, read: the list of a public folder, and the question before a large file.

Drive has no interface for programs that works without an account. A public folder's list for embedding
names its files; a file that is too large for Drive's virus scan comes behind a page with a form, whose
fields (`confirm`, `uuid` …) make the address of the file itself.
"""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin

_ENTRY = "entry-"
_QUIET = frozenset({"style", "script"})


def folder_files(page: str) -> dict[str, str]:
    """Name → id of the files that a folder's list for embedding (`/embeddedfolderview`) shows."""
    reader = _Folder()
    reader.feed(page)
    return reader.files


def confirmed_address(page: str, base: str) -> str | None:
    """The address that the form "Download anyway" leads to, None where the page has no such form.

    Args:
        page: HTML in place of a file.
        base: the address of that page.
    """
    reader = _Form()
    reader.feed(page)
    if reader.action is None:
        return None
    joint = "&" if "?" in reader.action else "?"
    address = f"{reader.action}{joint}{urlencode(reader.fields)}" if reader.fields else reader.action
    return urljoin(base, address)


def message(page: str) -> str:
    """What a page says, on one line: Drive's own reason when there is no form ("Quota exceeded …")."""
    reader = _Text()
    reader.feed(page)
    return " ".join(" ".join(reader.words).split())[:300]


class _Folder(HTMLParser):
    """Collects `<div class="flip-entry" id="entry-ID"> … <div class="flip-entry-title">NAME</div>`."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, str] = {}
        self._id = ""
        self._in_title = False
        self._title = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        values = dict(attrs)
        if (values.get("id") or "").startswith(_ENTRY):
            self._id = (values["id"] or "").removeprefix(_ENTRY)
        self._in_title = "flip-entry-title" in (values.get("class") or "").split()

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self._title += data

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002
        if self._in_title and self._id:
            self.files.setdefault(self._title.strip(), self._id)
        self._in_title, self._title = False, ""


class _Form(HTMLParser):
    """Reads the form with the id `download-form`: its action and its hidden fields."""

    def __init__(self) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: list[tuple[str, str]] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "form" and values.get("id") == "download-form":
            self._inside = True
            self.action = values.get("action") or ""
        elif self._inside and tag == "input" and values.get("name"):
            self.fields.append((values["name"] or "", values.get("value") or ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


class _Text(HTMLParser):
    """Collects the words that a reader of the page sees."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._quiet = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self._quiet = tag in _QUIET

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002
        self._quiet = False

    def handle_data(self, data: str) -> None:
        if not self._quiet:
            self.words.append(data)

"""Asks the hosts of released files, over HTTP(S).

Proxies, certificates and `.netrc` are taken from the environment, as requests does. `HF_ENDPOINT` names a
mirror of the Hugging Face hub; `HF_TOKEN` goes to the hub and to nobody else.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from urllib.parse import quote

import requests

from ssv2a.errors import InstallFailed
from ssv2a.release import drive
from ssv2a.release.model import DriveFile, HubFile, Source

HUB = "https://huggingface.co"
PAGE_BYTES = 2_000_000  # a page in place of a file is not read further than this


class Client:
    """One session with all hosts. Not for several threads at once.

    Args:
        environment: of the process; HF_ENDPOINT and HF_TOKEN are read from it.
        timeouts: seconds until a connection stands, and of silence in the middle of an answer.
    """

    def __init__(self, environment: Mapping[str, str], timeouts: tuple[float, float] = (20.0, 60.0)) -> None:
        self._hub = environment.get("HF_ENDPOINT", "").rstrip("/") or HUB
        self._token = environment.get("HF_TOKEN", "")
        self._timeouts = timeouts
        self._session = requests.Session()
        self._session.headers["User-Agent"] = "foley-daemon"
        self._folders: dict[str, dict[str, str]] = {}

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def ask(self, source: Source, headers: Mapping[str, str]) -> requests.Response:
        """The answer to a request for a file: its head is read, its body streams.

        Args:
            source: of the file.
            headers: of the request (Range, If-Range).

        Raises:
            InstallFailed: Drive shows a page that leads to no file.
            requests.HTTPError: Drive does not show the folder.
            requests.RequestException: no answer.
        """
        if isinstance(source, DriveFile):
            return self._ask_drive(source, headers)
        if isinstance(source, HubFile):
            address = f"{self._hub}/{source.repository}/resolve/{source.revision}/{quote(source.path)}"
            token = {"Authorization": f"Bearer {self._token}"} if self._token else {}
            return self._get(address, {**headers, **token})
        return self._get(source.address, headers)

    def _ask_drive(self, source: DriveFile, headers: Mapping[str, str]) -> requests.Response:
        """Look the file up in its folder, ask for it, and answer the question that may come first."""
        file = self._drive_folder(source).get(source.name)
        if file is None:
            raise InstallFailed(
                f"{source.address}: the folder shows no '{source.name}'; its owner may have renamed or "
                "removed it. Look at the folder with a browser."
            )
        answer = self._get(f"{source.host}/uc?export=download&id={quote(file)}", headers)
        if not (answer.ok and is_page(answer)):
            return answer
        page, address = _page(answer), answer.url
        onward = drive.confirmed_address(page, address)
        if onward is None:
            raise InstallFailed(
                f"{source.address}: Google Drive does not give the file: {drive.message(page)}"
            )
        return self._get(onward, headers)

    def _drive_folder(self, source: DriveFile) -> Mapping[str, str]:
        if source.folder not in self._folders:
            answer = self._get(f"{source.host}/embeddedfolderview?id={quote(source.folder)}", {})
            answer.raise_for_status()
            self._folders[source.folder] = drive.folder_files(_page(answer))
        return self._folders[source.folder]

    def _get(self, address: str, headers: Mapping[str, str]) -> requests.Response:
        # identity: lengths and ranges then count the file's own bytes
        plain = {"Accept-Encoding": "identity", **headers}
        return self._session.get(address, headers=plain, stream=True, timeout=self._timeouts)


def is_page(answer: requests.Response) -> bool:
    """Whether an answer is a page for people; no released file is one."""
    kind = answer.headers.get("Content-Type", "").lower()
    return kind.startswith("text/html") and "attachment" not in answer.headers.get("Content-Disposition", "")


def _page(answer: requests.Response) -> str:
    """The text of a page, its beginning if it is long."""
    with answer:
        content = b""
        for block in answer.iter_content(65_536):
            content += block
            if len(content) > PAGE_BYTES:
                break
    return content.decode(answer.encoding or "utf-8", "replace")

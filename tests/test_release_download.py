"""One file from a server that misbehaves: what lies at its name in the end is the file, or nothing."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from release_host import Host, running, sum_of

from ssv2a.errors import BundleError, InstallFailed
from ssv2a.release.client import Client
from ssv2a.release.download import Fetched, Patience, download
from ssv2a.release.model import HubFile, WebFile

CONTENT = bytes(range(256)) * 1200  # 307,200 bytes
OTHER = CONTENT[::-1]


@pytest.fixture
def host():
    with running() as host:
        yield host


class Fetch:
    """Downloads `/file` of a host to one place, again and again; pauses are noted, not made."""

    def __init__(self, host: Host, folder: Path) -> None:
        self.source = WebFile(f"{host.address}/file")
        self.target = folder / "file.bin"
        self.paused: list[float] = []
        self.progress: list[tuple[int, int | None]] = []

    def __call__(self, source=None, tries=4, environment=None, **options) -> Fetched:
        source = source or self.source
        with Client(environment or {}, timeouts=(5, 5)) as client:
            return download(
                lambda headers: client.ask(source, headers),
                source.address,
                self.target,
                patience=Patience(tries=tries),
                told=lambda have, total: self.progress.append((have, total)),
                sleep=self.paused.append,
                **options,
            )

    @property
    def part(self) -> Path:
        return self.target.with_name("file.bin.part")

    def assert_nothing_but(self, *names: str) -> None:
        assert sorted(path.name for path in self.target.parent.iterdir()) == sorted(names)


@pytest.fixture
def fetch(host, tmp_path):
    return Fetch(host, tmp_path)


def test_a_file_comes_whole_and_leaves_nothing_beside_it(host, fetch):
    host.put("/file", CONTENT)
    assert fetch() == Fetched(len(CONTENT), sum_of(CONTENT), published=False)
    assert fetch.target.read_bytes() == CONTENT
    fetch.assert_nothing_but("file.bin")
    assert fetch.progress[-1] == (len(CONTENT), len(CONTENT))
    assert host.asked[0].headers["Accept-Encoding"] == "identity"
    assert fetch.paused == []


def test_broken_off_in_the_middle_it_goes_on_there(host, fetch):
    host.put("/file", CONTENT, breaks=[100_000, 50_000])
    fetch()
    assert fetch.target.read_bytes() == CONTENT
    assert host.begins() == [None, 100_000, 150_000]
    assert host.asked[1].headers["If-Range"] == '"1"'


def test_what_came_stays_when_it_is_given_up_and_the_next_call_goes_on(host, fetch):
    host.put("/file", CONTENT, breaks=[100_000, 0, 0])
    with pytest.raises(InstallFailed, match=r"the last 2 attempts brought nothing.*100 kB are here and stay"):
        fetch(tries=2)
    fetch.assert_nothing_but("file.bin.part", "file.bin.part.json")
    host.asked.clear()
    fetch()
    assert fetch.target.read_bytes() == CONTENT
    assert host.begins() == [100_000]


def test_without_an_announced_length_the_end_is_still_told_from_a_break(host, fetch):
    host.put("/file", CONTENT, breaks=[100_000], chunked=True, block=30_000)
    fetch()
    assert fetch.target.read_bytes() == CONTENT
    assert host.begins() == [None, 100_000]


def test_a_long_way_with_many_breaks_is_not_given_up_while_it_gets_further(host, fetch):
    host.put("/file", CONTENT, breaks=[15_000] * 20)
    fetch(tries=2)
    assert fetch.target.read_bytes() == CONTENT
    assert fetch.paused == [1.0] * 20


def test_a_server_without_ranges_sends_it_again_from_the_beginning(host, fetch):
    host.put("/file", CONTENT, breaks=[100_000], takes_ranges=False)
    fetch()
    assert fetch.target.read_bytes() == CONTENT


def test_a_file_that_changed_on_the_way_comes_whole_in_its_new_form(host, fetch):
    host.put("/file", CONTENT, breaks=[100_000, 0])
    with pytest.raises(InstallFailed):
        fetch(tries=1)
    host.put("/file", OTHER, etag='"2"')
    assert fetch().sha256 == sum_of(OTHER)
    assert host.begins() == [None, 100_000, 100_000]


def test_the_date_of_the_last_change_serves_where_there_is_no_strong_etag(host, fetch):
    date = "Sun, 22 Nov 2026 10:00:00 GMT"
    host.put("/file", CONTENT, breaks=[100_000], etag='W/"1"', headers={"Last-Modified": date})
    fetch()
    assert host.begins() == [None, 100_000]
    assert host.asked[1].headers["If-Range"] == date


def test_without_any_validator_halves_are_not_joined(host, fetch):
    host.put("/file", CONTENT, breaks=[100_000], etag="")
    fetch()
    assert fetch.target.read_bytes() == CONTENT
    assert host.begins() == [None, None]


def test_without_a_validator_a_known_sum_allows_going_on_and_finds_wrong_halves(host, fetch):
    host.put("/file", OTHER, breaks=[100_000, 0], etag="")
    with pytest.raises(InstallFailed):
        fetch(tries=1, sha256=sum_of(CONTENT))
    host.put("/file", CONTENT, etag="")
    assert fetch(sha256=sum_of(CONTENT)).bytes == len(CONTENT)
    assert fetch.target.read_bytes() == CONTENT
    assert host.begins() == [None, 100_000, 100_000, None]  # joined, found wrong, fetched anew


def test_a_part_from_another_address_is_not_gone_on_with(host, fetch):
    host.put("/file", CONTENT, breaks=[100_000])
    host.put("/other", OTHER)
    with pytest.raises(InstallFailed):
        fetch(tries=0)
    fetch(WebFile(f"{host.address}/other"))
    assert fetch.target.read_bytes() == OTHER
    assert host.begins("/other") == [None]


@pytest.mark.parametrize("note", [b"", b"{", b'{"address": 1}', b"[]"])
def test_a_part_with_a_torn_note_is_begun_anew(host, fetch, note):
    host.put("/file", CONTENT, breaks=[50_000] * 4)
    fetch.part.write_bytes(OTHER)  # of unknown origin, and longer than what each attempt brings
    fetch.part.with_name("file.bin.part.json").write_bytes(note)
    fetch(tries=2)
    assert fetch.target.read_bytes() == CONTENT


def test_a_length_that_is_never_reached_is_given_up(host, fetch):
    host.put("/file", CONTENT, announced=len(CONTENT) + 1000)
    with pytest.raises(InstallFailed, match="brought nothing"):
        fetch()
    assert not fetch.target.exists()


def test_a_length_that_is_too_short_is_found_by_the_sum(host, fetch):
    host.put("/file", CONTENT, announced=1000)
    with pytest.raises(
        BundleError, match=f"expected SHA-256 {sum_of(CONTENT)}, got {sum_of(CONTENT[:1000])}"
    ):
        fetch(sha256=sum_of(CONTENT))
    fetch.assert_nothing_but()


def test_wrong_bytes_are_not_kept(host, fetch):
    host.put("/file", OTHER)
    with pytest.raises(BundleError, match="It is not kept"):
        fetch(sha256=sum_of(CONTENT))
    fetch.assert_nothing_but()
    assert len(host.asked) == 1


def test_wrong_bytes_are_fetched_anew_once_if_they_were_joined_and_then_not_again(host, fetch):
    host.put("/file", OTHER, breaks=[100_000])
    with pytest.raises(BundleError):
        fetch(sha256=sum_of(CONTENT), tries=2)
    fetch.assert_nothing_but()
    host.put("/file", OTHER, breaks=[100_000, 0, 0])
    with pytest.raises(InstallFailed):
        fetch(sha256=sum_of(CONTENT), tries=2)
    host.asked.clear()
    with pytest.raises(BundleError):
        fetch(sha256=sum_of(CONTENT))
    assert host.begins() == [100_000, None]


def test_wrong_bytes_leave_the_file_that_was_there(host, fetch):
    fetch.target.write_bytes(CONTENT)
    host.put("/file", OTHER)
    with pytest.raises(BundleError):
        fetch(sha256=sum_of(CONTENT))
    assert fetch.target.read_bytes() == CONTENT


def test_a_wrong_part_is_dropped(host, fetch):
    host.put("/file", CONTENT, breaks=[100_000], shift=10)
    with pytest.raises(InstallFailed, match="another part than was asked for"):
        fetch(tries=1)
    host.put("/file", CONTENT, breaks=[100_000, len(CONTENT)])
    fetch()
    assert fetch.target.read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_dropped(host, fetch):
    host.put("/file", CONTENT, breaks=[100_000, 0])
    with pytest.raises(InstallFailed):
        fetch(tries=1)
    host.put("/file", CONTENT[:5000])
    fetch()
    assert fetch.target.read_bytes() == CONTENT[:5000]


def test_a_part_that_is_complete_gets_its_name_without_being_sent_again(host, fetch, monkeypatch):
    host.put("/file", CONTENT)
    with monkeypatch.context() as patch:
        patch.setattr("ssv2a.release.partial.Partial.finish", _interrupt)  # just before the rename
        with pytest.raises(KeyboardInterrupt):
            fetch()
    fetch()
    assert fetch.target.read_bytes() == CONTENT
    assert host.begins() == [None, len(CONTENT)]


def _interrupt(*_args: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again_later(host, fetch, status):
    host.put("/file", CONTENT, statuses=[(status, {}), (status, {"Retry-After": "7"}), (status, {})])
    fetch()
    assert fetch.target.read_bytes() == CONTENT
    assert fetch.paused == [1.0, 7.0, 4.0]


def test_a_date_to_come_back_is_kept(host, fetch):
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    host.put("/file", CONTENT, statuses=[(503, {"Retry-After": date})])
    fetch()
    assert 25 < fetch.paused[0] <= 30


def test_a_server_that_asks_for_hours_is_not_waited_for(host, fetch):
    host.put("/file", CONTENT, statuses=[(429, {"Retry-After": "7200"})])
    with pytest.raises(InstallFailed, match=r"busy .*, for 7200 s"):
        fetch()
    assert fetch.paused == []


@pytest.mark.parametrize(
    ("status", "words"), [(404, "not there any more"), (403, "HF_TOKEN"), (401, "HF_TOKEN")]
)
def test_what_is_refused_is_told_at_once(host, fetch, status, words):
    host.put("/file", CONTENT, statuses=[(status, {})])
    with pytest.raises(InstallFailed, match=f"{status}.*{words}"):
        fetch()
    assert len(host.asked) == 1


def test_a_web_page_is_no_weights(host, fetch):
    host.put("/file", b"<html>Please log in</html>", kind="text/html; charset=utf-8")
    with pytest.raises(InstallFailed, match="got a web page"):
        fetch()
    assert not fetch.target.exists()


def test_bytes_that_a_proxy_has_packed_are_not_taken_for_the_file(host, fetch):
    host.put("/file", CONTENT, headers={"Content-Encoding": "gzip"})
    with pytest.raises(InstallFailed, match="got gzip"):
        fetch()
    assert not fetch.target.exists()


def test_nobody_there_is_told_with_the_reason(host, fetch):
    with pytest.raises(InstallFailed, match=r"Connection refused; the last 2 attempts brought nothing\.$"):
        fetch(WebFile("http://127.0.0.1:9/file"), tries=2)


def test_an_address_that_is_none_is_told_at_once(host, fetch):
    with pytest.raises(InstallFailed, match="Check HF_ENDPOINT"):
        fetch(HubFile("a/b", "main", "c"), environment={"HF_ENDPOINT": "mirror.example"})
    assert fetch.paused == []


def test_too_little_room_is_told_before_anything_is_fetched(host, fetch, monkeypatch):
    host.put("/file", CONTENT)
    usage = shutil.disk_usage("/")._replace(free=200_100_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(InstallFailed, match=r"too little room.*expected 200 MB free, got 200 MB.*FOLEY_HOME"):
        fetch()
    assert not fetch.target.exists()
    assert fetch.progress == []


class TestHub:
    """What is particular to the Hugging Face hub."""

    SOURCE = HubFile("lab/model", "0123abc", "unet/config 1.json")
    PATH = "/lab/model/resolve/0123abc/unet/config%201.json"

    def test_endpoint_redirection_sum_and_token(self, host, fetch):
        with running() as storage:
            sums = {"X-Linked-Etag": f'"{sum_of(CONTENT)}"'}
            host.put(f"/hub{self.PATH}", redirect=f"{storage.address}/blob", headers=sums)
            storage.put("/blob", CONTENT, breaks=[100_000])
            environment = {"HF_ENDPOINT": f"{host.address}/hub/", "HF_TOKEN": "secret"}
            assert fetch(self.SOURCE, environment=environment).published
            assert storage.begins() == [None, 100_000]
            assert all(asked.headers["Authorization"] == "Bearer secret" for asked in host.asked)
            assert not any("Authorization" in asked.headers for asked in storage.asked)
        assert fetch.target.read_bytes() == CONTENT

    def test_the_sum_that_comes_along_is_held_against_the_content(self, host, fetch):
        host.put(self.PATH, OTHER, headers={"X-Linked-Etag": f'"{sum_of(CONTENT)}"'})
        with pytest.raises(BundleError, match=f"expected SHA-256 {sum_of(CONTENT)}"):
            fetch(self.SOURCE, environment={"HF_ENDPOINT": host.address})
        fetch.assert_nothing_but()

    def test_another_sum_than_the_known_one_ends_it_before_it_is_fetched(self, host, fetch):
        host.put(self.PATH, OTHER, headers={"X-Linked-Etag": f'"{sum_of(OTHER)}"'})
        with pytest.raises(BundleError, match=f"expected SHA-256 {sum_of(CONTENT)}, got {sum_of(OTHER)}"):
            fetch(self.SOURCE, environment={"HF_ENDPOINT": host.address}, sha256=sum_of(CONTENT))
        assert fetch.progress == []

    def test_other_hosts_never_see_the_token(self, host, fetch):
        host.put("/file", CONTENT)
        fetch(environment={"HF_TOKEN": "secret"})
        host.put(self.PATH, CONTENT)
        fetch(self.SOURCE, environment={"HF_ENDPOINT": host.address})  # nor is an empty one sent
        assert not any("Authorization" in asked.headers for asked in host.asked)


def test_a_proxy_of_the_environment_is_used(host, fetch, monkeypatch):
    monkeypatch.setenv("http_proxy", host.address)
    host.put("http://weights.example/file", CONTENT)
    fetch(WebFile("http://weights.example/file"))
    assert fetch.target.read_bytes() == CONTENT


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.integers(0, 200_000),
    breaks=st.lists(st.integers(0, 120_000), max_size=3),
    takes_ranges=st.booleans(),
    etag=st.sampled_from(['"1"', 'W/"1"', ""]),
    known=st.booleans(),
)
def test_however_it_is_broken_the_file_is_right(host, tmp_path, size, breaks, takes_ranges, etag, known):
    content = (CONTENT + OTHER)[:size]
    fetch = Fetch(host, tmp_path)
    fetch.target.unlink(missing_ok=True)
    host.put("/file", content, breaks=breaks, takes_ranges=takes_ranges, etag=etag)
    fetch(sha256=sum_of(content) if known else "")
    assert fetch.target.read_bytes() == content
    fetch.assert_nothing_but("file.bin")

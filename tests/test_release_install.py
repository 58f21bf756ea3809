"""A release with tiny files, from an imitation of all its hosts: it becomes a bundle, or says why not."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from release_host import DRIVE_QUOTA, Host, drive_folder, drive_question, put_drive, running, sum_of

from foley_daemon import cli
from ssv2a.bundle import MANIFEST, Bundle
from ssv2a.errors import BundleError, InstallFailed
from ssv2a.release import catalogue, drive, shelf
from ssv2a.release.client import Client
from ssv2a.release.download import Patience
from ssv2a.release.install import install
from ssv2a.release.model import DriveFile, HubFile, Release, ReleasedFile, WebFile, size_text

SSV2A = catalogue.SSV2A
COUNT = len(SSV2A.files)
AT_ONCE = Patience(tries=1)


def content_of(file: ReleasedFile) -> bytes:
    return f"the content of {file.path}".encode() * 50


def tiny(host: Host) -> Release:
    """The catalogue's own release, with every address at the host and the sums of tiny files."""
    parts = tuple(
        replace(part, files=tuple(_tiny_file(host, file) for file in part.files)) for part in SSV2A.parts
    )
    return replace(SSV2A, parts=parts)


def _tiny_file(host: Host, file: ReleasedFile) -> ReleasedFile:
    source = file.source
    if isinstance(source, DriveFile):
        source = replace(source, host=host.address)
    elif isinstance(source, WebFile):
        source = WebFile(host.address + urlsplit(source.address).path)
    content = content_of(file)
    return replace(file, source=source, about=len(content), sha256=file.sha256 and sum_of(content))


def serve(host: Host, release: Release) -> None:
    """Put every file where its host would have it: Drive asks first, the hub sends sums of large files."""
    drives = {
        file.source.name: content_of(file) for file in release.files if isinstance(file.source, DriveFile)
    }
    put_drive(host, SSV2A.files[0].source.folder, drives)
    for file in release.files:
        source, content = file.source, content_of(file)
        if isinstance(source, HubFile):
            large = not source.path.endswith((".json", ".txt"))
            headers = {"X-Linked-Etag": f'"{sum_of(content)}"'} if large else {}
            host.put(
                f"/{source.repository}/resolve/{source.revision}/{source.path}", content, headers=headers
            )
        elif isinstance(source, WebFile):
            host.put(urlsplit(source.address).path, content)


def _file(release: Release, end: str) -> ReleasedFile:
    return next(file for file in release.files if file.path.endswith(end))


@pytest.fixture
def host():
    with running() as host:
        yield host


@pytest.fixture
def release(host, monkeypatch):
    release = tiny(host)
    serve(host, release)
    monkeypatch.setattr(catalogue, "CATALOGUE", {release.name: release})
    monkeypatch.setenv("HF_ENDPOINT", host.address)
    monkeypatch.setattr(
        os, "fsync", lambda _descriptor: None
    )  # a second an install, and nobody pulls the plug
    return release


@pytest.fixture
def fetch(host, release):
    def run(changed: Release = release, **options):
        with Client({"HF_ENDPOINT": host.address}, timeouts=(5, 5)) as client:
            return install(changed, client, patience=AT_ONCE, **options)

    return run


@pytest.fixture
def foley(monkeypatch, capsys):
    """Run `foley models …` in this process; gives exit code, standard output and standard error."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["foley", "models", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            sys.exit(cli.main())
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("foley_daemon.log.set_up", lambda *_args, **_options: None)  # conftest's sink stays
    return run


def carry(folder: Path, release: Release, *names: str) -> Path:
    """A folder with the files of a release, all of them or those whose path is named."""
    for file in release.files:
        if not names or file.path in names:
            path = folder / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content_of(file))
    return folder


class TestCatalogue:
    def test_every_file_of_a_role_is_in_the_release_and_every_path_once(self):
        paths = [file.path for file in SSV2A.files]
        assert len(set(paths)) == len(paths)
        for role in SSV2A.roles.values():
            for path in role["files"].values():
                assert any(listed == path or listed.startswith(f"{path}/") for listed in paths), path

    def test_addresses_are_safe_and_sums_are_sums(self):
        for file in SSV2A.files:
            assert file.source.address.startswith("https://")
            assert file.sha256 == "" or len(bytes.fromhex(file.sha256)) == 32
            assert file.about > 0

    def test_licences_that_forbid_uses_are_named(self):
        terms = {part.title: part.licence.name for part in SSV2A.parts}
        assert {terms[title] for title in terms if "AudioLDM" in title} == {"CC-BY-NC-SA-4.0"}
        assert terms["YOLOv8x, Open Images V7"] == "AGPL-3.0-only"

    def test_the_page_on_models_names_every_part_with_its_licence_and_size(self):
        page = (Path(__file__).parents[1] / "docs" / "models.md").read_text(encoding="utf-8")
        rows = {row.split(" | ")[0].strip("| "): row for row in page.splitlines() if row.startswith("| ")}
        for part in SSV2A.parts:
            row = next(row for name, row in rows.items() if name.split(":")[0] == part.title)
            size = sum(file.about for file in part.files)
            assert f"{size / 1e9:.1f} GB" in row or f"{size / 1e6:.0f} MB" in row
            assert part.licence.name.removesuffix("-only") in row.replace(
                "CC BY-NC-SA 4.0", "CC-BY-NC-SA-4.0"
            )
        assert f"about {SSV2A.about / 1e9:.1f} GB" in page

    @pytest.mark.parametrize(
        ("count", "text"),
        [(0, "0 bytes"), (999, "999 bytes"), (1_711_000_000, "1.71 GB"), (2_110_000, "2.11 MB")],
    )
    def test_sizes_are_readable(self, count, text):
        assert size_text(count) == text


class TestDrive:
    def test_a_folder_is_read(self):
        page = drive_folder({"1a_-Z": "ssv2a.pth", "2b": "R&amp;B.pth", "3c": " agg.pth\n"})
        assert drive.folder_files(page) == {"ssv2a.pth": "1a_-Z", "R&B.pth": "2b", "agg.pth": "3c"}
        assert drive.folder_files("<html><title>Sign in</title></html>") == {}

    def test_the_question_becomes_an_address(self):
        page = drive_question("https://drive.usercontent.google.com/download", "1a")
        assert drive.confirmed_address(page, "https://drive.google.com/uc") == (
            "https://drive.usercontent.google.com/download?id=1a&export=download&confirm=t&uuid=a-b%26c"
        )

    def test_so_does_the_older_form_that_has_everything_in_its_action(self):
        page = '<form id="download-form" action="/uc?id=1a&amp;confirm=t"><input type="submit"/></form>'
        address = drive.confirmed_address(page, "https://drive.google.com/uc?id=1a")
        assert address == "https://drive.google.com/uc?id=1a&confirm=t"

    def test_a_page_without_the_form_says_why(self):
        assert drive.confirmed_address(DRIVE_QUOTA, "https://drive.google.com/uc") is None
        assert drive.message(DRIVE_QUOTA) == (
            "Google Drive - Quota exceeded Sorry, you can't view or download this file at this time. "
            "Too many users have viewed or downloaded this file recently."
        )

    def test_small_files_come_without_a_question(self, host, release, fetch):
        files = {"ssv2a.json": b"{}", "ssv2a.pth": b"p", "agg.pth": b"a"}
        put_drive(host, SSV2A.files[0].source.folder, files, asks_first=False)
        folder = fetch().bundle.folder
        assert (folder / "ssv2a.json").read_bytes() == b"{}"

    def test_an_exceeded_quota_is_told_and_the_other_hosts_are_still_asked(self, host, release, fetch):
        for key in ("ssv2a.json", "ssv2a.pth", "agg.pth"):
            address = f"/uc?export=download&id=id-of-{key}"
            host.put(address, DRIVE_QUOTA.encode(), kind="text/html; charset=utf-8")
        others = replace(release, parts=_at(release, host.address.replace("127.0.0.1", "localhost")))
        with pytest.raises(InstallFailed) as failure:
            fetch(others)
        assert "does not give the file: Google Drive - Quota exceeded" in str(failure.value)
        assert f"3 of {COUNT} files of 'ssv2a' are missing" in str(failure.value)
        assert "foley models install ssv2a --from FOLDER" in str(failure.value)

    def test_a_folder_without_the_file_is_told(self, host, release, fetch):
        host.put(f"/embeddedfolderview?id={SSV2A.files[0].source.folder}", b"<html></html>", kind="text/html")
        with pytest.raises(InstallFailed, match=r"the folder shows no 'ssv2a\.json'"):
            fetch()

    def test_a_busy_folder_is_asked_again(self, host, release):
        folder = f"/embeddedfolderview?id={SSV2A.files[0].source.folder}"
        host.found(folder).statuses = [(503, {})]
        with Client({"HF_ENDPOINT": host.address}) as client:
            install(release, client, patience=Patience(tries=2, pause=0.0))


def _at(release: Release, address: str) -> tuple:
    """The parts, with web files at another host name of the same server."""
    return tuple(
        replace(
            part,
            files=tuple(
                replace(file, source=WebFile(address + urlsplit(file.source.address).path))
                if isinstance(file.source, WebFile)
                else file
                for file in part.files
            ),
        )
        for part in release.parts
    )


class TestInstall:
    def test_all_hosts_together_make_a_bundle(self, release, fetch):
        installed = fetch()
        bundle = Bundle.open("ssv2a")
        bundle.verify()
        assert installed.bundle.id == bundle.id
        assert bundle.implementation("synthesis") == "audioldm"
        assert bundle.path("synthesis", "model").is_dir()
        for file in release.files:
            assert (bundle.folder / file.path).read_bytes() == content_of(file)
        row = bundle.files["audioldm-s-full-v2/unet/diffusion_pytorch_model.safetensors"]
        assert (row.licence, "Liu" in row.attribution) == ("CC-BY-NC-SA-4.0", True)
        assert row.origin.startswith("https://huggingface.co/cvssp/audioldm-s-full-v2/resolve/bef13a48")
        assert not list(bundle.folder.rglob("*.part*"))

    def test_what_has_no_published_sum_is_recorded_and_later_installs_are_held_against_it(
        self, host, release, fetch
    ):
        first = fetch().first_seen
        assert {"ssv2a.pth", "audioldm-full-s-v2.ckpt", "yolov8x-oiv7.pt", "prior/prior_config.json"} <= set(
            first
        )
        assert "clip/open_clip_model.safetensors" not in first  # the hub sent its sum
        assert "audioldm-s-full-v2/vocoder/model.safetensors" not in first  # published in the catalogue
        shelf.remove("ssv2a")
        assert fetch().first_seen == ()
        shelf.remove("ssv2a")
        host.found("/ultralytics/assets/releases/download/v8.4.0/yolov8x-oiv7.pt").content = b"another model"
        with pytest.raises(
            BundleError, match=r"got .*first appearance, on 20.*remove its entry from .*sums\.json"
        ):
            fetch()
        assert not (shelf.folder_of("ssv2a") / "yolov8x-oiv7.pt").exists()

    def test_an_install_that_lacks_files_goes_on_without_fetching_the_others_again(
        self, host, release, fetch
    ):
        checkpoint = "/records/7698295/files/audioldm-full-s-v2.ckpt"
        host.found(checkpoint).breaks = [100, 0]
        with pytest.raises(InstallFailed, match=r"100 bytes are here and stay"):
            fetch()
        assert not (shelf.folder_of("ssv2a") / MANIFEST).exists()
        host.asked.clear()
        fetch()
        paths = [asked.path for asked in host.asked]
        assert host.begins(checkpoint) == [100]
        assert not any("unet" in path for path in paths)

    def test_a_file_that_was_damaged_since_is_fetched_again(self, release, fetch):
        folder = fetch().bundle.folder
        damaged = folder / "audioldm-s-full-v2" / "unet" / "diffusion_pytorch_model.safetensors"
        damaged.write_bytes(damaged.read_bytes()[:-1] + b"!")
        fetch().bundle.verify()
        assert damaged.read_bytes() == content_of(_file(release, "unet/diffusion_pytorch_model.safetensors"))

    def test_two_at_once_do_not_meet(self, release, fetch):
        with shelf.locked("ssv2a"), pytest.raises(BundleError, match="by another process"):
            fetch()
        fetch()

    def test_too_little_room_for_all_is_told_before_anything_is_fetched(
        self, host, release, fetch, monkeypatch
    ):
        usage = shutil.disk_usage("/")._replace(free=200_000_000)
        monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
        with pytest.raises(
            InstallFailed, match=r"too little room for what is missing of 'ssv2a': expected 200 MB free"
        ):
            fetch()
        assert host.asked == []

    def test_too_little_room_for_a_copy_is_told(self, release, tmp_path, monkeypatch):
        usage = shutil.disk_usage("/")._replace(free=200_000_000)
        monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
        monkeypatch.setattr(os, "link", _no_links)
        with pytest.raises(InstallFailed, match="too little room for a copy of"):
            install(release, carry(tmp_path, release))

    def test_nobody_there_is_told_with_all_that_is_missing(self, release, monkeypatch):
        away = replace(release, parts=_at(release, "http://127.0.0.1:9"))
        client = Client({"HF_ENDPOINT": "http://127.0.0.1:9"})
        with pytest.raises(InstallFailed) as failure:
            install(replace(away, parts=away.parts[1:]), client, patience=AT_ONCE)
        text = str(failure.value)
        assert "Connection refused" in text
        assert f"{COUNT - 3} of {COUNT - 3} files of 'ssv2a' are missing" in text
        assert "https://huggingface.co/laion/DALLE2-PyTorch/resolve/main/prior/best.pth" in text


class TestCarriedIn:
    def test_a_folder_with_all_files_makes_the_same_bundle_as_the_network(
        self, host, release, fetch, tmp_path
    ):
        fetched = fetch().bundle.id
        shelf.remove("ssv2a")
        host.asked.clear()
        assert install(release, carry(tmp_path, release)).bundle.id == fetched
        assert host.asked == []

    def test_files_are_linked_where_that_is_possible_and_copied_otherwise(
        self, release, tmp_path, monkeypatch
    ):
        folder = install(release, carry(tmp_path, release)).bundle.folder
        assert (folder / "ssv2a.pth").samefile(tmp_path / "ssv2a.pth")
        shelf.remove("ssv2a")
        monkeypatch.setattr(os, "link", _no_links)
        folder = install(release, tmp_path).bundle.folder
        assert not (folder / "ssv2a.pth").samefile(tmp_path / "ssv2a.pth")
        Bundle.open("ssv2a").verify()

    def test_a_cache_of_the_hub_and_loose_files_are_understood(self, release, tmp_path):
        for number, file in enumerate(release.files):
            blob = tmp_path / "blobs" / str(number)
            blob.parent.mkdir(exist_ok=True)
            blob.write_bytes(content_of(file))
            if isinstance(file.source, HubFile):
                repository = file.source.repository.replace("/", "--")
                path = tmp_path / f"models--{repository}" / "snapshots" / "0123" / file.source.path
            else:
                path = tmp_path / "Downloads" / Path(file.path).name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(blob)
        folder = install(release, tmp_path).bundle.folder
        assert not any(path.is_symlink() for path in folder.rglob("*"))
        for file in release.files:
            assert (folder / file.path).read_bytes() == content_of(file)

    def test_the_checkpoint_as_the_package_audioldm_keeps_it_is_known(self, release, tmp_path):
        carry(tmp_path, release)
        (tmp_path / "audioldm-full-s-v2.ckpt").rename(tmp_path / "audioldm-s-full-v2.ckpt")
        assert install(release, tmp_path).bundle.path("clap", "weights").name == "audioldm-full-s-v2.ckpt"

    def test_a_config_of_another_model_is_not_taken_for_ours(self, release, tmp_path):
        stray = tmp_path / "another" / "config.json"
        stray.parent.mkdir()
        stray.write_text("{}")
        with pytest.raises(BundleError, match=f"{COUNT} of {COUNT} files"):
            install(release, tmp_path)

    def test_all_that_is_missing_is_told_and_what_came_stays(self, release, tmp_path):
        some = carry(tmp_path / "one", release, "ssv2a.pth", "agg.pth")
        with pytest.raises(BundleError) as failure:
            install(release, some)
        text = str(failure.value)
        assert f"{COUNT - 2} of {COUNT} files of 'ssv2a' are missing" in text
        assert "agg.pth" not in text
        assert "  prior/best.pth (about " in text
        rest = carry(tmp_path / "two", release)
        (rest / "agg.pth").unlink()
        (rest / "ssv2a.pth").unlink()
        install(release, rest).bundle.verify()

    def test_a_file_with_a_wrong_sum_is_not_taken(self, release, tmp_path):
        carry(tmp_path, release)
        wrong = tmp_path / "audioldm-s-full-v2" / "vocoder" / "model.safetensors"
        wrong.write_bytes(b"not it")
        with pytest.raises(BundleError) as failure:
            install(release, tmp_path)
        assert f"{wrong}: expected SHA-256" in str(failure.value)
        assert f"1 of {COUNT} files" in str(failure.value)

    def test_no_folder_is_told(self, release, tmp_path):
        with pytest.raises(BundleError, match="no such folder"):
            install(release, tmp_path / "nowhere")


def _no_links(*_args: object) -> None:
    raise OSError(18, "Invalid cross-device link")


class TestCommand:
    def test_list_shows_what_is_here_and_what_could_be(self, release, foley, host):
        code, out, _ = foley("list")
        assert code == 0
        assert "mini" in out
        assert "built in" in out
        assert "not installed: foley models install ssv2a" in out
        assert "CC-BY-NC-SA-4.0" in out
        host.found("/records/7698295/files/audioldm-full-s-v2.ckpt").statuses = [(404, {})]
        assert foley("install", "ssv2a", "--accept-licences")[0] == 6
        assert "incomplete: foley models install ssv2a goes on" in foley("list")[1]

    def test_from_nothing_to_installed_to_removed(self, release, foley):
        code, out, err = foley("install", "ssv2a", "--accept-licences")
        assert code == 0, err
        for part in release.parts:
            assert part.title in out
            assert part.licence.means in out
        assert "is installed in" in out
        assert "No SHA-256 is published for ssv2a.json, ssv2a.pth" in out
        assert "model: {bundle: ssv2a}" in out
        assert foley("install", "ssv2a")[1].startswith("'ssv2a' is installed")
        assert foley("path", "ssv2a")[1].strip() == str(shelf.folder_of("ssv2a"))
        assert "installed" in foley("list")[1]
        assert f"all {COUNT} files are as they should be" in foley("verify", "ssv2a")[1]
        (shelf.folder_of("ssv2a") / "agg.pth").write_bytes(b"x" * len(content_of(release.files[2])))
        code, _, err = foley("verify", "ssv2a")
        assert code == 3
        assert "agg.pth: expected SHA-256" in err
        (shelf.folder_of("ssv2a") / "agg.pth").unlink()
        assert "damaged" in foley("list")[1]
        assert foley("remove", "ssv2a", "--yes")[0] == 0
        assert not shelf.folder_of("ssv2a").exists()
        code, _, err = foley("path", "ssv2a")
        assert code == 3
        assert "was not found" in err

    def test_packages_that_are_missing_are_told(self, release, foley, monkeypatch):
        monkeypatch.setattr("foley_daemon.models_cli.PACKAGES", ("json", "no_such_package"))
        out = foley("install", "ssv2a", "--accept-licences")[1]
        assert "Not installed yet: no_such_package. `pip install 'foley-daemon[released]'`" in out

    def test_without_acceptance_nothing_is_fetched(self, release, foley, host, monkeypatch):
        code, out, err = foley("install", "ssv2a")
        assert code == 3
        assert "No commercial use" in out
        assert "add --accept-licences" in err
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
        monkeypatch.setattr("typer.confirm", lambda _question: False)
        code, _, err = foley("install", "ssv2a")
        assert code == 3
        assert "nothing was installed" in err
        assert host.asked == []
        monkeypatch.setattr("typer.confirm", lambda _question: True)
        assert foley("install", "ssv2a")[0] == 0

    def test_removing_asks_first(self, release, foley, monkeypatch):
        foley("install", "ssv2a", "--accept-licences")
        code, _, err = foley("remove", "ssv2a")
        assert (code, "only with --yes" in err) == (3, True)
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
        monkeypatch.setattr("typer.confirm", lambda _question: False)
        assert foley("remove", "ssv2a")[0] == 0
        assert shelf.folder_of("ssv2a").exists()

    @pytest.mark.parametrize("name", ["mini", "nothing", "../precious", "", ".", "..", "ssv2a/.."])
    def test_what_is_built_in_or_not_there_is_not_removed(self, release, foley, foley_home, name):
        precious = foley_home / "precious" / "film"
        precious.parent.mkdir()
        precious.touch()
        shelf.folder_of("ssv2a").mkdir(parents=True)
        code, _, err = foley("remove", "--yes", "--", name)
        assert code == 3
        assert err.startswith("error ")
        assert precious.exists()
        assert shelf.folder_of("ssv2a").is_dir()
        assert Bundle.open("mini").name == "mini"

    def test_a_link_to_a_bundle_elsewhere_is_removed_without_the_bundle(self, release, foley, tmp_path):
        foley("install", "ssv2a", "--accept-licences")
        shelf.folder_of("ssv2a").rename(tmp_path / "elsewhere")
        shelf.folder_of("ssv2a").symlink_to(tmp_path / "elsewhere")
        assert foley("remove", "ssv2a", "--yes")[0] == 0
        assert (tmp_path / "elsewhere" / "agg.pth").exists()

    def test_an_unknown_name_is_told_with_those_that_are_known(self, release, foley):
        code, _, err = foley("install", "sv2a")
        assert code == 3
        assert "expected ssv2a" in err

    def test_no_network_and_a_folder_give_their_exit_codes(self, release, foley, tmp_path, monkeypatch):
        code, _, err = foley("install", "ssv2a", "--accept-licences", "--from", tmp_path)
        assert code == 3
        assert f"{COUNT} of {COUNT} files" in err
        carry(tmp_path, release)
        assert foley("install", "ssv2a", "--accept-licences", "--from", tmp_path)[0] == 0


SLOW_INSTALL = """
import sys, threading
sys.path.insert(0, sys.argv.pop(1))
from test_release_install import tiny, serve
from release_host import Host, running
from ssv2a.release import catalogue
from foley_daemon import cli
host = Host(int(sys.argv.pop(1)))
catalogue.CATALOGUE = {"ssv2a": tiny(host)}
cli.main()
"""


def test_ctrl_c_ends_it_at_once_and_the_next_install_goes_on(release, host, foley):
    checkpoint = host.found("/records/7698295/files/audioldm-full-s-v2.ckpt")
    checkpoint.block, checkpoint.pause = 10, 0.02
    port = host.address.rpartition(":")[2]
    words = (str(Path(__file__).parent), port, "models", "install", "ssv2a", "--accept-licences")
    with subprocess.Popen(
        [sys.executable, "-c", SLOW_INSTALL, *words],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    ) as child:
        try:
            part = shelf.folder_of("ssv2a") / "audioldm-full-s-v2.ckpt.part"
            _wait_for(lambda: part.exists() and host.begins("/records"))
            time.sleep(0.3)
            child.send_signal(signal.SIGINT)
            started = time.monotonic()
            err = child.communicate(timeout=15)[1]
            assert time.monotonic() - started < 5
        finally:
            child.kill()
    assert child.returncode == 130
    assert "Interrupted; what is here stays" in err
    assert "Traceback" not in err
    have = part.stat().st_size
    assert 0 < have < len(checkpoint.content)
    checkpoint.block, checkpoint.pause = 0, 0.0
    assert foley("install", "ssv2a", "--accept-licences")[0] == 0
    assert host.begins("/records") == [None, have]


def _wait_for(condition, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)

"""Profiles: strict reading with every fault at once, inheritance, exact times, generated documents."""

import re
import shutil
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foley_daemon import schema_docs
from foley_daemon.errors import ConfigError
from foley_daemon.profile import (
    Profile,
    find_profile,
    load_profile,
    named_profile,
    profile_names,
    shipped_folder,
)
from foley_daemon.schema import group_of, parse_seconds, yaml_text
from foley_daemon.yaml_tree import plain, read_tree
from ssv2a.types import Added

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def _own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("FOLEY_HOME", str(tmp_path / "home"))


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def faults(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_profile(path)
    assert caught.value.exit_code == 3
    return [fault.replace(f"{path}:", "") for fault in caught.value.faults]


def test_an_empty_file_has_every_default(tmp_path):
    profile = load_profile(write(tmp_path / "default.yaml", "# nothing but a comment\n"))
    assert profile == Profile()
    assert (profile.chunks.seconds, profile.chunks.overlap) == (Fraction(10), Fraction(1, 2))
    assert (profile.mix.mode, profile.mix.level, profile.mix.alone) == ("track", -6.0, -23.0)
    assert (profile.model.var_samples, profile.model.cycle_its, profile.model.cycle_samples) == (64, 64, 64)
    assert (profile.watch.stable_for, profile.model.seed, profile.output.folder) == (5.0, 42, "foley")


def test_every_fault_comes_at_once_with_line_and_remedy(tmp_path):
    path = write(
        tmp_path / "foley.yaml",
        "watch:\n"
        "  stable_fro: 5s\n"  # 2
        "  mode: inotify\n"  # 3
        "model:\n"
        "  frames: 3\n"  # 5
        "  seed: yes\n"  # 6
        "  synthesis:\n"
        "    width: 1.5\n"  # 8
        "level: -3\n"  # 9
        "chunks:\n"
        "  seconds: 4\n"
        "  overlap: 1.01s\n"  # 12
        "sources:\n"
        "  mute:\n"
        "    - dog\n"
        "    - 7\n"  # 16
        "output:\n"
        "  name: '{stem}_{shot}{ext}'\n"  # 18
        "  folder: ../elsewhere\n"  # 19
        "mix: loud\n",  # 20
    )
    found = faults(path)
    assert [fault.split(": ")[0] + " " + fault.split(": ")[1] for fault in found] == [
        "2 watch.stable_fro",
        "3 watch.mode",
        "5 model.frames",
        "6 model.seed",
        "8 model.synthesis.width",
        "9 level",
        "12 chunks.overlap",
        "16 sources.mute.1",
        "18 output.name",
        "19 output.folder",
        "20 mix",
    ]
    by_key = {fault.split(": ")[1]: fault for fault in found}
    assert "did you mean `stable_for`?" in by_key["watch.stable_fro"]
    assert "expected one of auto, native, polling, got inotify" in by_key["watch.mode"]
    assert "expected a whole number from 4 to 64, got 3" in by_key["model.frames"]
    assert "did you mean `mix.level`?" in by_key["level"]
    assert "at most a quarter, 1 s, got 1.01 s" in by_key["chunks.overlap"]
    assert "expected a text, got 7" in by_key["sources.mute.1"]
    for fault in found:
        assert len(fault.split("; ")) >= 3, fault  # what; expected, got; remedy


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("watch:\n\tmode: auto\n", 2, "tab"),
        ("mix:\n  level: -6\n  level: -9\n", 3, "written twice, first in line 2"),
        ("mix: {level: -6\n", 2, "not YAML"),
        ("- a\n- b\n", 1, "`key: value`"),
        ("mix: &m\n  level: -6\n---\nmix: {}\n", 3, "second document"),
        ("sources:\n  mute: [*nobody]\n", 2, "undefined alias"),
        ("sources: &a\n  mute: [*a]\n", 1, "contains itself"),
        ("model:\n  seed: !!python/object:os.system 1\n", 2, "tag"),
        ("model:\n  seed:\n", 2, "got nothing"),
        ("chunks:\n  seconds: .inf\n", 2, "not a duration"),
        ("chunks:\n  seconds: 1e999\n", 2, "out of range"),
        ("model:\n  seed: 1.0\n", 2, "whole number"),
        ("model:\n  low_memory: maybe\n", 2, "expected true or false, got maybe"),
        ("sources:\n  add: ['']\n", 2, "empty"),
        ("output:\n  folder: _failed\n", 2, "keeps for itself"),
        ("output:\n  name: '{stem}{ext}{seed'\n", 2, "not a template"),
        ("output:\n  name: '../{stem}{ext}'\n", 2, "a path or a hidden name"),
        ("mix:\n  mode: sidecar\noutput:\n  codec: aac\n", 4, "a sidecar is a WAV file"),
        ("sources:\n  mute: [Rain]\n  add: [rain]\n", 3, "muted too"),
        ("sources:\n  max: 63\n  add: [rain]\n", 2, "at most 63, got 63 and 1"),
        ("sources:\n  add: rain\n", 2, "expected a list of texts, {image: FILE} and {audio: FILE}, got rain"),
        ("sources:\n  add:\n  - rain\n  - 7\n", 4, "got 7"),
        ("sources:\n  add:\n  - rain\n  - {}\n", 4, "expected one of text, image and audio, got none"),
        ("sources:\n  add:\n  - {sound: a.wav}\n", 3, "unknown key; expected one of text, image, audio"),
        ("sources:\n  add:\n  - rain\n  - image:\n      ./no.png\n", 4, "no such file; expected the path"),
        ("sources:\n  add:\n  - audio: ./no.wav\n    text: wind\n", 3, "no such file"),
        ("sources:\n  mute: [Rain]\n  add: [{text: rain}]\n", 3, "muted too"),
    ],
)
def test_single_faults(tmp_path, text, line, says):
    found = faults(write(tmp_path / "foley.yaml", text))
    assert len(found) == 1
    assert found[0].startswith(f"{line}: ")
    assert says in found[0]


def test_contradiction_is_not_reported_on_top_of_the_fault_that_causes_it(tmp_path):
    found = faults(write(tmp_path / "foley.yaml", "chunks:\n  seconds: many\n  overlap: 9\n"))
    assert [fault.split(": ")[1] for fault in found] == ["chunks.seconds"]


def test_broken_bytes_and_missing_files(tmp_path):
    path = tmp_path / "foley.yaml"
    path.write_bytes(b"mix:\n  level: -6\n# caf\xe9\n")
    assert faults(path)[0].startswith("3: not UTF-8")
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_profile(tmp_path / "nothing.yaml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_profile(tmp_path)


def test_a_child_wins_key_by_key_and_replaces_lists(tmp_path):
    write(
        tmp_path / "house.yaml",
        "name: house\nmodel: {seed: 7, candidates: 5}\n"
        "sources: {mute: [person, clock], max: 9}\nmix: {level: -9}\n",
    )
    child = load_profile(
        write(
            tmp_path / "hot" / "foley.yaml",
            "extends: ../house.yaml\nmodel: {seed: 8}\nsources: {mute: [dog]}\nmix:\n  # level: 0\n",
        )
    )
    assert (child.model.seed, child.model.candidates) == (8, 5)
    assert (child.sources.mute, child.sources.max) == (("dog",), 9)
    assert child.mix.level == -9.0
    assert child.name == "hot"


def test_faults_of_a_parent_name_the_parents_file(tmp_path):
    parent = write(tmp_path / "house.yaml", "chunks:\n  seconds: 2\n")
    child = write(
        tmp_path / "foley.yaml", "extends: ./house.yaml\nmodel:\n  frames: 1\nchunks:\n  overlap: 1\n"
    )
    found = faults(child)
    assert found[0].startswith("3: model.frames")
    assert found[1].startswith("5: chunks.overlap: too long for chunks of 2 s")
    parent.write_text("chunks:\n  seconds: two\n")
    assert any(fault.startswith(f"{parent}:2: chunks.seconds") for fault in faults(child))


def test_circles_are_refused_with_the_chain(tmp_path):
    for name, above in (("a", "b"), ("b", "c"), ("c", "a")):
        write(tmp_path / f"{name}.yaml", f"\nextends: ./{above}.yaml\n")
    found = faults(tmp_path / "a.yaml")
    assert len(found) == 1
    assert re.search(
        r"c\.yaml:2: extends: a circle: \S*a\.yaml → \S*b\.yaml → \S*c\.yaml → \S*a\.yaml", found[0]
    )


def test_unknown_names_are_answered_with_the_nearest(tmp_path):
    with pytest.raises(ConfigError, match="did you mean dialogue"):
        named_profile("dialog")
    assert "did you mean sidecar?" in faults(write(tmp_path / "foley.yaml", "extends: side_car\n"))[0]
    assert "no such file" in faults(write(tmp_path / "foley.yaml", "extends: ./sidecar.yaml\n"))[0]


def test_the_users_profiles_come_before_the_shipped_and_may_extend_them(tmp_path):
    write(tmp_path / "home" / "profiles" / "dialogue.yaml", "extends: dialogue\nmix: {level: -20}\n")
    own = named_profile("dialogue")
    assert (own.mix.mode, own.mix.level) == ("duck", -20.0)


def test_a_hot_folder_takes_its_own_then_the_named_then_the_default(tmp_path):
    hot = tmp_path / "hot"
    hot.mkdir()
    assert find_profile(hot) == Profile()
    assert find_profile(hot, "sidecar").mix.mode == "sidecar"
    write(hot / "foley.yaml", "mix: {mode: replace}\n")
    assert find_profile(hot, "sidecar").mix.mode == "replace"
    (hot / "foley.yaml").rename(hot / "foley.yml")
    with pytest.raises(ConfigError, match="rename the file"):
        find_profile(hot)


@pytest.mark.parametrize("path", sorted(shipped_folder().glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_profiles_are_valid(path):
    assert path.stem in profile_names()
    assert load_profile(path).extends is None


def test_paths_are_relative_to_the_file_they_stand_in(tmp_path):
    write(tmp_path / "house" / "base.yaml", "model: {bank: ./sounds}\n")
    profile = load_profile(write(tmp_path / "hot" / "foley.yaml", "extends: ../house/base.yaml\n"))
    assert profile.model.bank == str(tmp_path / "house" / "sounds")
    assert profile.model.bundle == "mini"


def test_what_is_not_written_is_left_to_the_bundle_and_its_synthesiser(tmp_path):
    profile = load_profile(write(tmp_path / "a.yaml", "model: {synthesis: {steps: 50, sampler: faithful}}\n"))
    assert (profile.model.frames, profile.sources.min_confidence) == (None, None)
    assert profile.model.synthesis.model_dump(exclude_none=True) == {"steps": 50, "sampler": "faithful"}


@pytest.mark.parametrize("odd", ["'~nosuchuser/x'", r'"./a\0b"', f"./{'x' * 300}", "~/x"])
@pytest.mark.parametrize("key", ["extends: {}", "model: {{bank: {}}}", "output: {{folder: {}}}"])
def test_no_path_is_too_odd_to_be_answered(tmp_path, key, odd):
    path = write(tmp_path / "foley.yaml", key.format(odd) + "\n")
    fault = ""
    try:
        folder = load_profile(path).output.folder
    except ConfigError as error:
        folder, fault = "", str(error)
    assert f"{path}:1: " in fault or (folder and "~" not in folder)


def test_yaml_1_2_texts_stay_texts(tmp_path):
    profile = load_profile(write(tmp_path / "p.yaml", "sources: {mute: [no, on, 1:30, 2026-01-01]}\n"))
    assert profile.sources.mute == ("no", "on", "1:30", "2026-01-01")


def test_anchors_work(tmp_path):
    text = "sources:\n  mute: &quiet [person]\n  add: []\nmodel: {synthesis: &s {width: 0.5}}\n"
    profile = load_profile(write(tmp_path / "p.yaml", text))
    assert profile.sources.mute == ("person",)
    assert profile.model.synthesis.width == 0.5


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0.1", Fraction(1, 10)),
        ("10", Fraction(10)),
        ("333ms", Fraction(333, 1000)),
        ("1.001s", Fraction(1001, 1000)),
        ("0.5 min", Fraction(30)),
        ("'2'", Fraction(2)),
    ],
)
def test_times_are_exactly_what_is_written(tmp_path, text, seconds):
    path = write(tmp_path / "p.yaml", f"chunks:\n  seconds: 60\n  overlap: {text}\n")
    if seconds <= 15:
        assert load_profile(path).chunks.overlap == seconds
    else:
        assert "out of range" in faults(path)[0]
    assert parse_seconds(plain(read_tree(path))["chunks"]["overlap"]) == seconds


@given(st.fractions(min_value=0, max_value=10**6, max_denominator=1000).map(lambda x: round(x * 1000)))
def test_milliseconds_and_seconds_agree(milliseconds):
    as_seconds = f"{milliseconds // 1000}.{milliseconds % 1000:03d}s"
    assert parse_seconds(f"{milliseconds}ms") == parse_seconds(as_seconds) == Fraction(milliseconds, 1000)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text(max_size=20).filter(lambda text: "\x00" not in text), max_size=4))
def test_what_yaml_text_writes_is_read_back(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("yaml") / "p.yaml"
    path.write_text(f"x: {yaml_text(texts)}\n", encoding="utf-8", errors="surrogatepass")
    assert plain(read_tree(path)) == {"x": texts}


@settings(deadline=None, max_examples=150)
@given(st.text(alphabet="abmixlevel:{}[]-&*!|>'\"#\n\t ,?%@0123.~", max_size=60))
def test_any_text_is_a_profile_or_a_readable_error(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("any") / "p.yaml"
    path.write_text(text, encoding="utf-8")
    try:
        load_profile(path)
        found = ()
    except ConfigError as error:
        found = error.faults or ("no fault named",)
    assert all(re.match(rf"{re.escape(str(path))}:\d+: ", fault) for fault in found)


def test_the_sound_does_not_depend_on_level_device_or_order_of_muting():
    base = Profile()
    louder = base.model_copy(update={"mix": base.mix.model_copy(update={"level": 0.0})})
    elsewhere = base.model_copy(
        update={"model": base.model.model_copy(update={"device": "cuda", "low_memory": True})}
    )
    assert louder.sound_fields() == elsewhere.sound_fields() == base.sound_fields()
    assert louder.publish_fields() != base.publish_fields() == elsewhere.publish_fields()
    one, other = (
        base.model_copy(update={"sources": base.sources.model_copy(update={"mute": mute})})
        for mute in (("Dog", "clock"), ("clock", "dog"))
    )
    assert one.sound_fields() == other.sound_fields() != base.sound_fields()


def test_sources_are_added_as_words_pictures_and_sounds(tmp_path):
    write(tmp_path / "house" / "door.png", "a picture")
    write(tmp_path / "house" / "base.yaml", "sources: {add: [rain, {text: wind}, {image: door.png}]}\n")
    profile = load_profile(write(tmp_path / "hot" / "foley.yaml", "extends: ../house/base.yaml\n"))
    added = [one.added() for one in profile.sources.add]
    assert added == [Added(text="rain"), Added(text="wind"), Added(image=tmp_path / "house" / "door.png")]


def test_one_item_is_one_source(tmp_path):
    write(tmp_path / "door.png", "")
    write(tmp_path / "door.wav", "")
    text = "sources:\n  add:\n  - image: door.png\n    audio: door.wav\n"
    found = faults(write(tmp_path / "foley.yaml", text))
    assert len(found) == 1
    assert "expected one of text, image and audio, got image and audio" in found[0]


def test_the_content_of_an_added_file_changes_the_sound_and_its_name_does_not(tmp_path):
    def fields(name: str) -> object:
        text = f"sources: {{add: [rain, {{audio: {name}}}]}}\n"
        return load_profile(write(tmp_path / "foley.yaml", text)).sound_fields()["sources"]

    one = write(tmp_path / "one.wav", "a" * 300_000)
    first = fields("one.wav")
    shutil.copy(one, tmp_path / "two.wav")
    assert fields("two.wav") == first
    one.write_text("a" * 150_000 + "b" + "a" * 149_999)  # as long as it was, and changed in the middle
    assert fields("one.wav") != first
    profile = load_profile(tmp_path / "foley.yaml")
    one.unlink()
    with pytest.raises(ConfigError, match=r"one\.wav: cannot be read: No such file"):
        profile.sound_fields()


def test_a_picture_is_not_a_sound(tmp_path):
    write(tmp_path / "thing", "content")
    kinds = [
        load_profile(
            write(tmp_path / "foley.yaml", f"sources: {{add: [{{{kind}: thing}}]}}\n")
        ).sound_fields()
        for kind in ("image", "audio")
    ]
    assert kinds[0] != kinds[1]


def test_the_profiles_name_matters_to_the_result_only_where_it_is_written_into_it():
    plain_name = [Profile(name=name).publish_fields() for name in ("a", "b")]
    in_it = [Profile(name=name, output={"name": "{stem}_{profile}{ext}"}).publish_fields() for name in "ab"]
    assert plain_name[0] == plain_name[1]
    assert in_it[0] != in_it[1]


def test_sample_holds_every_key_and_parses_to_the_defaults(tmp_path):
    path = write(tmp_path / "sample.yaml", schema_docs.sample())
    assert load_profile(path) == Profile()
    assert _keys(plain(read_tree(path))) == _keys(Profile().model_dump())
    for key in _unset(Profile):
        assert re.search(rf"^ *# {key}: ", path.read_text(encoding="utf-8"), re.MULTILINE), key


def _keys(value):
    """The keys that have a value; a group without any has none."""
    if not isinstance(value, dict):
        return True
    kept = {key: _keys(item) for key, item in value.items() if item is not None}
    return {key: item for key, item in kept.items() if item}


def _unset(schema):
    """The keys whose default is nothing; the sample shows them in comments."""
    for name, field in schema.model_fields.items():
        if group := group_of(field):
            yield from _unset(group)
        elif field.default is None:
            yield name


def test_generated_files_are_as_the_code_writes_them():
    stale = [
        path.name
        for path, text in schema_docs.pages(ROOT).items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    assert stale == [], "run `make docs`"


def test_examples_of_the_documentation_are_valid(tmp_path):
    blocks = re.findall(r"```yaml\n(.*?)```", schema_docs.profiles_page(), re.DOTALL)
    assert len(blocks) >= 3
    for block in blocks:
        for file in re.findall(r"(?:image|audio): (\./\S+)", block):
            write(tmp_path / file, "")
        assert load_profile(write(tmp_path / "foley.yaml", block)) != Profile()


def test_examples_of_single_keys_are_valid(tmp_path):
    rows = re.findall(r"^(?:###+ (\S+)$|\|.*\| `(.+)` \|$)", schema_docs.profiles_page(), re.MULTILINE)
    assert len(rows) > 40
    group = ""
    for heading, example in rows:
        if heading:
            group = heading
        elif example != "extends: dialogue":
            lines, depth = "", 0
            for part in filter(None, group.split(".")):
                lines += "  " * depth + f"{part}:\n"
                depth += 1
            load_profile(write(tmp_path / "x.yaml", f"{lines}{'  ' * depth}{example}\n"))

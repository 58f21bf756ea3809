"""The groups of a profile: what each key means, its unit, default and range."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from string import Formatter
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator

from foley_daemon.home import expanded, is_file
from foley_daemon.schema import (
    Contradiction,
    Number,
    Seconds,
    Settings,
    Text,
    Texts,
    Wait,
    setting,
    yaml_text,
)
from ssv2a.types import Added

MAX_SOURCES = 63  # of SSV2A's 64 slots; the first is the whole picture
RESERVED_FOLDERS = ("_failed", "_done", ".foley")
NAME_TOKENS = ("stem", "ext", "profile", "take", "seed", "date")


def _checked_template(template: str) -> str:
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"not a template ({error})") from None
    tokens = [name for _, name, spec, conversion in parts if name is not None and not spec and not conversion]
    if len(tokens) != sum(name is not None for _, name, _, _ in parts) or set(tokens) - set(NAME_TOKENS):
        raise ValueError("an unknown token")
    if "stem" not in tokens or not template.endswith("{ext}"):
        raise ValueError("{stem} is missing, or {ext} does not stand at the end")
    if "/" in template or "\\" in template or template.startswith("."):
        raise ValueError("a path or a hidden name")
    return template


def _checked_folder(folder: str) -> str:
    parts = Path(folder).parts
    if not parts or ".." in parts or parts == ("/",):
        raise ValueError("the hot folder itself or a folder above it")
    if any(part in RESERVED_FOLDERS for part in parts):
        raise ValueError("a folder that the daemon keeps for itself")
    path = expanded(folder)
    if str(path).startswith("~"):
        raise ValueError("the home directory of an unknown user")
    return str(path)


def _checked_patterns(patterns: tuple[str, ...]) -> tuple[str, ...]:
    if not patterns or any("/" in pattern for pattern in patterns):
        raise ValueError("no pattern, or a pattern with a folder in it")
    return patterns


def _checked_file(path: str) -> str:
    if not is_file(Path(path)):
        raise ValueError("no such file")
    return path


ExistingFile = Annotated[Text, AfterValidator(_checked_file)]
"""The absolute path of a file that is there."""


class Watch(Settings):
    """Which files are clips, and when a clip is whole."""

    patterns: Annotated[Texts, AfterValidator(_checked_patterns)] = setting(
        ("*.mp4", "*.m4v", "*.mov", "*.mkv", "*.webm", "*.avi", "*.ts", "*.m2ts", "*.mts"),
        "File names that are clips (`*` and `?` stand for any characters; upper and lower case are alike).",
        example=("*.mov", "shot_*.mp4"),
        expects='a list of file name patterns without folders, such as ["*.mp4", "*.mov"]',
    )
    stable_for: Wait = setting(
        5.0,
        "A clip is taken when its size, time and inode have not changed for this long.",
        unit="s",
        ge=0.1,
        le=86400,
        example="30s",
    )
    mode: Literal["auto", "native", "polling"] = setting(
        "auto",
        "How changes are noticed: by the kernel's events, by looking again and again (network shares), "
        "or by the kind of file system. A regular sweep finds what either misses.",
        example="polling",
    )
    fingerprint: Literal["quick", "full"] = setting(
        "quick",
        "How contents are told apart: by size and blocks from head, middle and tail, or by every byte.",
        example="full",
    )


class Synthesis(Settings):
    """Settings of the bundle's synthesiser; each has its own and refuses those of others."""

    width: Number | None = setting(
        None,
        "Sound bank: width of the stereo picture. 0 is mono, 1, as without it, places each source where it "
        "is seen.",
        ge=0,
        le=1,
        example=0.5,
    )
    focus: Number | None = setting(
        None,
        "Sound bank: how much sources take turns. 1, as without it: events wait for each other, and what "
        "goes on lies lower while they sound; 0: each sounds as if it were alone.",
        ge=0,
        le=1,
        example=0.5,
    )
    sampler: Literal["fast", "faithful"] | None = setting(
        None,
        "AudioLDM: `fast`, as without it, is DPM-Solver++; `faithful` is the original's DDIM, which takes "
        "eight times as long.",
        example="faithful",
    )
    steps: int | None = setting(
        None,
        "AudioLDM: steps of the sampler; without it 25 of the fast one, 200 of the faithful one.",
        ge=1,
        le=1000,
        example=50,
    )
    guidance: Number | None = setting(
        None,
        "AudioLDM: how far the sound is pushed towards what is seen; without it 2.5, 1 is not at all and "
        "takes half the time.",
        ge=1,
        le=20,
        example=3.5,
    )
    eta: Number | None = setting(
        None, "AudioLDM: noise of the faithful sampler; without it 1.", ge=0, le=1, example=0
    )


class Model(Settings):
    """Which model makes the sound, and how much it tries."""

    bundle: Text = setting(
        "mini",
        "The models: a bundle's name, or the path of its folder (with a /, relative to this file).",
        example="./bundles/house",
        expects="a bundle's name, or a path with a / in it",
    )
    bank: Text = setting(
        "default",
        "The sounds that may be heard. `default`: the project's own and public domain, free for any use; "
        "`community`: recordings under CC-BY and CC-BY-SA too, to be credited as the report says; "
        "or the path of a bank of your own.",
        example="community",
        expects="default, community, or the path of a bank with a / in it",
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = setting(
        "auto", "Where the networks run; `auto` takes a GPU that is there.", example="cpu"
    )
    low_memory: bool = setting(
        False,
        "Each network leaves memory as soon as its step is over: slower, for machines with little of it "
        "and the released networks.",
        example=True,
    )
    frames: int | None = setting(
        None,
        "Frames looked at in each chunk; more see shorter events and take longer. Without it what the "
        "bundle says: 16 for mini, 64 for the released networks.",
        ge=4,
        le=64,
        example=32,
    )
    var_samples: int = setting(
        64, "Samples drawn from the manifold for each source.", ge=1, le=1024, example=16
    )
    cycle_its: int = setting(
        64,
        "Rounds of Cycle Mix, which looks for the mixture nearest to what is seen.",
        ge=1,
        le=1024,
        example=16,
    )
    cycle_samples: int = setting(64, "Mixtures tried in each round of Cycle Mix.", ge=1, le=1024, example=16)
    candidates: int = setting(
        3, "Renderings made of each chunk; the one nearest to what is seen is kept.", ge=1, le=16, example=1
    )
    seed: int = setting(
        42, "Another seed is another take; the same gives the same.", ge=0, le=2**32 - 1, example=7
    )
    synthesis: Synthesis = setting(
        Synthesis(), "Settings of the bundle's synthesiser; each has its own and refuses those of others."
    )


class Chunks(Settings):
    """How a clip is cut into runs of the model."""

    seconds: Seconds = setting(
        Fraction(10), "Length of a chunk, overlap included.", unit="s", ge=1, le=60, example="8s"
    )
    overlap: Seconds = setting(
        Fraction(1, 2),
        "Neighbouring chunks are cross-faded over this long; at most a quarter of a chunk.",
        unit="s",
        ge=0,
        le=15,
        example="250ms",
    )

    def contradictions(self) -> Iterator[Contradiction]:
        """The overlap must leave most of a chunk to itself."""
        if self.overlap > self.seconds / 4:
            most, seconds, got = (
                yaml_text(value) for value in (self.seconds / 4, self.seconds, self.overlap)
            )
            yield Contradiction(
                ("overlap", "seconds"),
                f"too long for chunks of {seconds} s; expected at most a quarter, {most} s, got {got} s; "
                "shorten the overlap or lengthen the chunks",
            )


class AddedSource(Settings):
    """A source that always sounds: in words, as a picture, or as a sound."""

    text: Text | None = setting(None, "In words.", example="rain on a roof", expects="a text")
    image: ExistingFile | None = setting(
        None,
        "A picture of what is meant: the path of a PNG, JPEG, WebP or TIFF, relative to this file.",
        example="./door.png",
        expects="the path of a picture that is there",
    )
    audio: ExistingFile | None = setting(
        None,
        "A sound like the one that is meant: the path of a WAV, FLAC, MP3 or OGG, relative to this file.",
        example="./wind.wav",
        expects="the path of a sound that is there",
    )

    def contradictions(self) -> Iterator[Contradiction]:
        """One kind of source an item."""
        given = [kind for kind, value in self if value is not None]
        if len(given) != 1:
            yield Contradiction(
                (given[-1] if given else "text",),
                "not one source; expected one of text, image and audio, "
                f"got {' and '.join(given) or 'none'}; write an item for each",
            )

    def added(self) -> Added:
        """What the model is given."""
        return Added(
            text=self.text,
            image=None if self.image is None else Path(self.image),
            audio=None if self.audio is None else Path(self.audio),
        )


def _parse_added(value: object) -> object:
    """The items of a list; one that is a text stands for `text: …`."""
    if not isinstance(value, list):
        return value
    return tuple({"text": item} if isinstance(item, str) else item for item in value)


class Sources(Settings):
    """What is seen that shall sound, and what shall not."""

    min_confidence: Number | None = setting(
        None,
        "Detections below this are not looked at. Without it what the bundle says: 0.4 for mini, 0.25 for "
        "the released networks.",
        ge=0,
        le=1,
        example=0.5,
    )
    max: int = setting(
        16, "The most sources that sound at once; the surest are kept.", ge=1, le=MAX_SOURCES, example=8
    )
    mute: Texts = setting(
        (),
        "What must not sound, by the names that reports show (upper and lower case are alike).",
        example=("person", "clock"),
    )
    add: Annotated[tuple[AddedSource, ...], BeforeValidator(_parse_added)] = setting(
        (),
        "What always sounds, seen or not: in words, or as `{image: FILE}` or `{audio: FILE}`. A file that "
        "changes is another sound.",
        example=("rain on a roof",),
        expects="a list of texts, {image: FILE} and {audio: FILE}",
    )

    def contradictions(self) -> Iterator[Contradiction]:
        """No text both muted and added; no more sources than the model has slots."""
        muted = {text.casefold() for text in self.mute}
        for text in filter(None, (one.text for one in self.add)):
            if text.casefold() in muted:
                yield Contradiction(
                    ("add", "mute"),
                    f"{text!r} is muted too; expected it in one of the lists; remove it from the other",
                )
        if self.max + len(self.add) > MAX_SOURCES:
            yield Contradiction(
                ("max", "add"),
                f"more than the model holds; expected max plus the items of add at most {MAX_SOURCES}, "
                f"got {self.max} and {len(self.add)}; lower max",
            )


class Mix(Settings):
    """Where the foley goes, and how loud."""

    mode: Literal["track", "replace", "mix", "duck", "sidecar"] = setting(
        "track",
        "`track`: a further track titled Foley; `replace`: instead of all sound; `mix`: under the original, "
        "in its track; `duck`: the same, and lower while the original is loud (dialogue); `sidecar`: "
        "a WAV file, no clip.",
        example="mix",
    )
    level: Number = setting(
        -6.0,
        "Loudness of the foley relative to the clip's own sound.",
        unit="LU",
        ge=-40,
        le=12,
        example=-12,
    )
    alone: Number = setting(
        -23.0,
        "Loudness of the foley where the clip has no sound of its own, or it is replaced (EBU R128: -23).",
        unit="LUFS",
        ge=-50,
        le=-9,
        example=-16,
    )
    duck: Number = setting(
        9.0,
        "With `mode: duck`, how far the foley goes down while the original is loud.",
        unit="dB",
        ge=0,
        le=40,
        example=12,
    )


class OutputSettings(Settings):
    """Where the result goes and what it is called."""

    folder: Annotated[Text, AfterValidator(_checked_folder)] = setting(
        "foley",
        "Folder of the results: a subfolder of the clip's own, or a path that begins with / or ~. "
        "Never taken for input.",
        example="/srv/foley/out",
        expects="the name of a subfolder (_failed, _done and .foley are taken), or a path from / or ~",
    )
    name: Annotated[Text, AfterValidator(_checked_template)] = setting(
        "{stem}_foley{ext}",
        "Name of the result, with the tokens {stem} {ext} {profile} {take} {seed} {date}.",
        example="{stem}_{profile}_{seed}{ext}",
        expects="a file name with {stem} in it, {ext} at the end, and perhaps {profile} {take} {seed} {date}",
    )
    codec: Literal["auto", "pcm_s16le", "pcm_s24le", "flac", "alac", "aac", "opus"] = setting(
        "auto", "Codec of the new sound; `auto` takes the container's best.", example="pcm_s24le"
    )
    collision: Literal["version", "fail", "overwrite"] = setting(
        "version", "If the name is taken: add a number, fail, or overwrite.", example="overwrite"
    )


class After(Settings):
    """What becomes of the source."""

    source: Literal["keep", "move"] = setting(
        "keep",
        "Leave the source where it is, or move it into `_done` once the result is published.",
        example="move",
    )

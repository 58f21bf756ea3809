"""What can become of a file or a stretch of it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Verdict(StrEnum):
    """What becomes of a file or a stretch of it."""

    KEPT = "kept"
    UNREADABLE = "cannot be read"
    COPY = "copy of another file"
    NO_SOUND = "no audio track"
    SHORT = "too short"
    SILENT = "silent"
    OVERDRIVEN = "overdriven"
    NOTHING = "nothing is seen"
    SILENT_KIND = "only silent things are seen"
    SEVERAL = "several kinds of source are seen"
    FLEETING = "the source is seen too briefly"
    MUSIC = "music under it"
    SPEECH = "speech under it"
    ANOTHER = "sounds like something else"


MEANINGS: Mapping[Verdict, str] = {
    Verdict.KEPT: "exactly one kind of source is seen, and the sound agrees",
    Verdict.UNREADABLE: "neither decoder nor ffmpeg could read the file to its end",
    Verdict.COPY: "the same content under another name, which was taken instead",
    Verdict.NO_SOUND: "the file holds a picture alone",
    Verdict.SHORT: "less than 2 s of picture",
    Verdict.SILENT: "no tenth of a second reaches −50 dBFS",
    Verdict.OVERDRIVEN: "one sample in a hundred or more lies at full scale",
    Verdict.NOTHING: "the detector finds nothing in any frame",
    Verdict.SILENT_KIND: "what is seen makes no sound, such as furniture or people who stand still",
    Verdict.SEVERAL: "a second kind of source, or people beside it, in more than a tenth of the frames",
    Verdict.FLEETING: "the one kind of source is seen in fewer than half of the frames",
    Verdict.MUSIC: "notes stand still for seconds, or a tagger hears music, and the source makes none",
    Verdict.SPEECH: "a tagger hears speech, and the source has no voice",
    Verdict.ANOTHER: "other kinds of sound lie nearer to what is heard, or a tagger hears none of its labels",
}

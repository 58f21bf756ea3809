"""What a file of a sound library is said to be: from its metadata, its name and its folders. Pure.

Sound libraries say it in many places: the description of the Broadcast Wave chunk, iXML's fields, tags of
MP3 and FLAC, a file name after the Universal Category System (`CatID_FXName_CreatorID_SourceID`,
universalcategorysystem.com), a plain file name, the folders around it. The first that says something wins.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath

UNKNOWN_LICENCE = "unknown – yours to know"
_LONGEST = 200  # characters of a caption
_SAID = ("description", "fxname", "title", "mediacomment", "comment", "subject", "note", "notes", "scene")
_ABOUT = ("categoryfull", "category", "subcategory", "keywords", "genre", "userkeywords")
_COPYRIGHT, _LICENCE = ("copyright", "copyrightmessage", "rights"), ("license", "licence", "licensing")
_AUTHORS = (
    "designer",
    "originator",
    "artist",
    "author",
    "manufacturer",
    "creatorid",
    "recordist",
    "encoded_by",
)
# Originators that are programs and recorders, not people, and what else stands in their names.
_MACHINES = frozenset({
    "tools", "protools", "reaper", "nuendo", "cubase", "logic", "audition", "soundminer", "devices",
    "sounddevices", "mixpre", "zoom", "tascam", "wavelab", "lavf", "sequoia", "pyramix", "soundtrack",
    "izotope", "rx", "aaton", "cantar", "fostex", "edirol", "roland", "marantz", "nagra", "ffmpeg",
    "audacity",
})  # fmt: skip
_OF_MACHINES = frozenset({
    "pro", "sound", "adobe", "apple", "avid", "digidesign", "steinberg", "cockos", "magix", "merging",
    "cantarx", "windows", "macintosh", "macos", "handy", "recorder", "studio", "elements", "advanced",
    "version", "x", "hd", "le", "ii", "iii",
})  # fmt: skip
_RECORDER_LINE = re.compile(r"^\s*[a-z]?[A-Z][A-Z0-9]*=.*$", re.MULTILINE)  # "sTAKE=03" of field recorders
_CAT_ID = re.compile(r"[A-Z]{3,6}[a-z][A-Za-z0-9]{1,4}(-[A-Za-z0-9]+)?")  # DOORWood, UIClick, WATRSurf-Beach
_CAMEL = re.compile(
    r"(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])|(?<=[A-Z])(?=[A-Z][a-z])"
)
_WORD = re.compile(r"[^\W\d_]{2,}(?:['’][a-z]+)?")
# What stands in file names without saying anything of the sound.
_NOISE = frozenset(
    [
        "wav",
        "aif",
        "aiff",
        "flac",
        "mp3",
        "ogg",
        "stereo",
        "mono",
        "lr",
        "ms",
        "xy",
        "mid",
        "side",
        "khz",
        "hz",
        "bit",
        "take",
        "tk",
        "ver",
        "version",
        "final",
        "edit",
        "edited",
        "mix",
        "master",
        "st",
        "mn",
        "render",
        "export",
        "bounce",
        "sfx",
        "fx",
        "foley",
        "sound",
        "sounds",
        "audio",
        "file",
        "track",
        "trk",
        "rec",
        "recording",
        "recordings",
        "new",
        "copy",
        "nan",
        "null",
        "none",
        "untitled",
        "unnamed",
        "zoom",
        "tascam",
        "dr",
        "mixpre",
        "zm",
        "ambeo",
        "left",
        "right",
        "ch",
        "raw",
        "loop",
        "looped",
        "normalized",
        "processed",
        "sample",
        "samples",
        "library",
        "lib",
        "soundeffects",
        "effects",
        "effect",
        "various",
        "misc",
        "other",
    ]
)
# Categories of the Universal Category System by the beginning of their CatIDs, where that is no plain word.
_CATEGORIES = {
    "AERO": "aircraft", "AIR": "air", "ALRM": "alarm", "AMB": "ambience", "ANML": "animal",
    "BELL": "bell", "BIRD": "bird", "BLLT": "bullet", "BOAT": "boat", "CERM": "ceramic", "CHEM": "chemical",
    "CLOC": "clock", "CLTH": "cloth", "COMM": "communication", "CMPT": "computer", "CREA": "creature",
    "CRWD": "crowd", "FRWK": "fireworks", "DSGN": "designed",
    "DEST": "destruction", "DIRT": "dirt", "DOOR": "door",
    "DRWR": "drawer", "ELEC": "electricity", "EQUP": "equipment", "EXPL": "explosion", "FARM": "farm",
    "FEET": "footsteps", "FGHT": "fight", "FIRE": "fire", "FOLY": "foley", "FOOD": "food",
    "GAME": "game", "GEAR": "gears", "GEO": "earth", "GLAS": "glass", "GORE": "gore", "GUN": "gun",
    "HORN": "horn", "HMN": "human", "ICE": "ice", "LASR": "laser", "LETH": "leather", "LIQD": "liquid",
    "MACH": "machine", "MAGC": "magic", "MECH": "mechanical", "METL": "metal", "MOTR": "motor",
    "MOVE": "movement", "MUSC": "musical instrument", "NATD": "natural disaster", "OBJ": "object",
    "PAPR": "paper", "PLAS": "plastic", "RAIN": "rain", "ROBT": "robot", "ROCK": "rock", "ROPE": "rope",
    "RUBR": "rubber", "SCIF": "science fiction", "SNOW": "snow", "SPRT": "sport", "SWSH": "whoosh",
    "TOOL": "tool", "TOON": "cartoon", "TOY": "toy", "TRN": "train", "UI": "user interface",
    "VEGE": "vegetation", "VEH": "vehicle", "VOX": "voice", "WATR": "water", "WEAP": "weapon",
    "WTHR": "weather", "WHSL": "whistle", "WIND": "wind", "WNDW": "window", "WING": "wings", "WOOD": "wood",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Description:
    """What a file is said to be."""

    caption: str  # as people read it; never empty
    phrases: tuple[str, ...]  # what is said, for finding out what sounds; (): nothing but noise and numbers
    licence: str
    author: str  # "" where nobody says so
    credit: str  # its copyright line; "" where there is none


def describe(tags: Mapping[str, str], place: PurePath, licence: str | None = None) -> Description:
    """What a file is said to be.

    Args:
        tags: of the file, by lower-case name.
        place: of the file within its library; it is no path that is opened.
        licence: of the whole library; None: what each file says.
    """
    ucs = _ucs(place.stem)
    named = " ".join(_words(ucs[1] if ucs else place.stem))
    said = [text for key in _SAID if (text := _sentence(tags.get(key, "")))]
    around = next((" ".join(words) for part in reversed(place.parent.parts) if (words := _words(part))), "")
    about = [
        text for key in _ABOUT if (text := _sentence(tags.get(key, "").replace("_", " ").replace("-", " ")))
    ]
    about += [ucs[0].replace(",", "")] if ucs else []
    first = next(iter(said), "") or (f"{named}, {ucs[0]}" if ucs and named else named)
    described = first or around or next(iter(about), "")
    return Description(
        caption=described or place.stem,
        phrases=tuple(dict.fromkeys(filter(None, (described, *said, named, *about, around)))),
        licence=licence or _first(tags, _LICENCE) or UNKNOWN_LICENCE,
        author=_author(tags) or (ucs[2] if ucs else ""),
        credit=_first(tags, _COPYRIGHT),
    )


def _ucs(stem: str) -> tuple[str, str, str] | None:
    """Of a name after the Universal Category System "category, subcategory", FXName, creator.

    None: it is no such name.
    """
    cat_id, *rest = stem.split("_")
    if not rest or not _CAT_ID.fullmatch(cat_id):
        return None
    letters = cat_id.split("-")[0]
    for length in (5, 4, 3, 2):
        category = _CATEGORIES.get(letters[:length].upper())
        if category is not None:
            kinds = ", ".join(dict.fromkeys((category, *_words(letters[length:]))))
            return kinds, rest[0], rest[1] if len(rest) > 2 else ""
    return None


def _words(name: str) -> list[str]:
    """The words of a file's or folder's name that say something of the sound, in lower case."""
    parts = _WORD.findall(_CAMEL.sub(" ", re.sub(r"[_\W]+", " ", name)))
    words = [part.lower() for part in parts if part.lower() not in _NOISE]
    return words if any(len(word) > 2 for word in words) else []


def _sentence(text: str) -> str:
    """A text of a tag as one line, without what recorders write there; "" where no words are left."""
    line = " ".join(_RECORDER_LINE.sub(" ", text).split())[:_LONGEST].strip(" ,;-")
    return line if _words(line) else ""


def _author(tags: Mapping[str, str]) -> str:
    return next((text for text in _all(tags, _AUTHORS) if not _is_machine(text)), "")


def _is_machine(text: str) -> bool:
    """Whether a text is the name of a program or a recorder and no more: "ZOOM H5", but not "Zoom Smith"."""
    words = re.findall(r"[^\W_]+", text.lower().replace("-", ""))
    named = [re.sub(r"\d.*", "", word) for word in words]  # without a model's or a version's number
    if not _MACHINES.intersection(named):
        return False
    return all(
        word != name or name in _MACHINES | _OF_MACHINES for word, name in zip(words, named, strict=True)
    )


def _first(tags: Mapping[str, str], keys: tuple[str, ...]) -> str:
    return next(_all(tags, keys), "")


def _all(tags: Mapping[str, str], keys: tuple[str, ...]) -> Iterator[str]:
    return (" ".join(tags[key].split())[:_LONGEST] for key in keys if tags.get(key, "").strip())

from pathlib import Path

import pytest

from ssv2a.embed.minilm import MiniLm
from ssv2a.soundbank.meanings import Meanings, phrases, substitutes
from ssv2a.soundbank.vocabulary import vocabulary

MINI = Path(__file__).parents[1] / "ssv2a" / "bundles" / "mini"

# What people may ask for, in words that are no phrases of the table. "-": the vocabulary has no such sound.
ASKED = """
dog_bark | my neighbour's dog won't stop barking | two dogs fight over a bone
cat_meow | a stray cat begs for food
cow_moo | dairy cows waiting to be milked
sheep_bleat | a shepherd with his sheep
goat_bleat | mountain goats calling each other
horse_hooves | cavalry charging
horse_neigh | a frightened horse
pig_grunt | a pig rooting in the dirt
chicken_cluck | hens pecking grain
rooster_crow | the rooster wakes the village
duck_quack | feeding the ducks at the pond
goose_honk | an angry goose
bird_song | chirping in the treetops | a peaceful spring forest
bird_call | gulls over the beach
crow_caw | a murder of crows
owl_hoot | an owl calls at midnight
pigeon_coo | doves on the window sill
frog_croak | a chorus of frogs in the wetland
insects_night | crickets in tall grass at dusk
bee_buzz | a fly caught behind a window
elephant_trumpet | elephants at the waterhole
lion_roar | a tiger in its cage
wolf_howl | a lone wolf on the hill
car_engine | an old car that won't start | a taxi with its motor running
car_pass | vehicles passing on a country road
car_horn | angry motorists honking
truck_engine | a big rig pulls away
bus_engine | the bus arrives at the stop
motorcycle_engine | a harley davidson | a vespa in rome
tractor_engine | an agricultural tractor working
bicycle_ride | kids riding bikes
train_pass | an express train rushes through | riding the underground
train_horn | a train blows its whistle at a crossing
airplane_jet | a boeing 747 landing
airplane_propeller | a cessna in the sky
helicopter | a military helicopter flies over
boat_motor | a powerboat race
boat_water | a boat rocks gently at the dock
ship_horn | a tanker sounds its horn in fog
siren | a cop car with its siren on
traffic | downtown manhattan with lots of cars
skateboard_roll | teenagers skateboarding
footsteps_hard | somebody walks across a parquet floor | a pedestrian crosses the street
footsteps_soft | footsteps in deep snow
footsteps_gravel | crunching steps on a gravel driveway
crowd_babble | guests at a wedding reception | a noisy canteen
applause | the crowd goes wild | spectators clap their hands
rain | a rainstorm in the jungle | raindrops on an umbrella
wind | gusts howl through the canyon
thunder | a lightning storm at night
sea_waves | the tide rolls in | seashore at sunset
river_stream | a trickling mountain spring
waterfall | the falls thunder down
water_splash | kids jump in the pool
water_pour | someone fills the sink | pouring a beer
bubbles | water boils in a pot
fire | a crackling fireplace | a forest fire
leaves_rustle | foliage moves in a breeze
clock_tick | an antique clock on the mantel
alarm_beep | the alarm goes off in the morning
telephone_ring | a call comes in on a landline
typing | a journalist writing on her keyboard
camera_shutter | a tourist photographs a monument
door | the front door bangs shut | a rusty gate swings
knock | someone raps on the wooden door
glass_break | a wine glass smashes on the floor
dishes | clearing the dinner table
frying | sausages in a frying pan
paper_rustle | leafing through a magazine
scissors | a tailor snips fabric
hammer | a worker hits nails into a roof
saw | cutting timber with a handsaw
chainsaw | loggers at work in the woods
drill | drilling holes in concrete
machinery | an old factory with running machines
fan_hum | a humming fridge
vacuum_cleaner | cleaning the carpet with a hoover
hair_dryer | drying hair after a shower
washing_machine | a laundromat
printer | an office printer at work
sword_clash | two knights duel
wood_chop | chopping firewood
explosion | a huge blast destroys a bridge
gunshot | a sniper fires
bell | a chapel bell calls to mass | the bell rings for dinner
whistle | the referee blows for half time
ball_bounce | a boy dribbles a basketball
racket_hit | two people playing tennis
guitar | a flamenco guitarist
piano | someone practises chopin on the piano
drum | a drum solo
flute | a girl plays the flute
trumpet | jazz trumpet
violin | a violinist on stage
room_tone | a silent empty apartment
- | a politician gives a speech | a toddler cries | two women gossip | a man laughs out loud
- | a soprano sings an aria
"""


@pytest.fixture(scope="module")
def text() -> MiniLm:
    known = MINI / "sentences.safetensors"
    return MiniLm(MINI / "minilm_l6_v2_int8.onnx", MINI / "minilm_tokenizer.json", 1, known)


@pytest.fixture(scope="module")
def meanings(text: MiniLm) -> Meanings:
    return Meanings(text)


def asked() -> list[tuple[str, str]]:
    rows = [[part.strip() for part in line.split("|")] for line in ASKED.strip().splitlines()]
    return [(caption, key) for key, *captions in rows for caption in captions]


def test_what_is_asked_for_in_other_words_is_mostly_understood(meanings: Meanings) -> None:
    known = {caption for caption, _ in asked()} & phrases().keys()
    assert not known, "a caption of the test has become a phrase of the table"
    right = [meanings.sound_of(caption) == (None if key == "-" else key) for caption, key in asked()]
    assert sum(right) / len(right) >= 0.85


def test_every_sound_has_phrases_and_every_phrase_a_sound() -> None:
    sounds = set(phrases().values())
    assert vocabulary().keys() <= sounds
    assert sounds <= {*vocabulary(), "-"}


def test_words_of_the_vocabulary_need_no_encoder() -> None:
    assert Meanings(None).sound_of("A dog Barking") == "dog_bark"
    assert Meanings(None).sound_of("high heels on marble") == "footsteps_hard"
    assert Meanings(None).sound_of("a choir") is None
    assert Meanings(None).sound_of("something else altogether") is None


def test_phrases_that_are_not_known_are_understood_all_the_same(
    text: MiniLm, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {"a dog barking": "dog_bark", "rain falling": "rain"}
    monkeypatch.setattr("ssv2a.soundbank.meanings.phrases", lambda: {**few, "a very blunt saw": "saw"})
    assert Meanings(text).sound_of("sawing bluntly") == "saw"


@pytest.mark.parametrize(
    ("words", "sounds"),
    [
        ("a dog barks while rain falls", ["dog_bark", "rain"]),
        ("rain and thunder", ["rain", "thunder"]),
        (
            "Footsteps on gravel, an owl hooting, a distant church bell",
            ["footsteps_gravel", "owl_hoot", "bell"],
        ),
        ("a car drives by followed by a siren wailing", ["car_pass", "siren"]),
        ("a man speaks while a dog barks", ["dog_bark"]),  # voices are not ours to make
        ("a horse neighs and snorts", ["horse_neigh"]),  # one thing that does two
        ("dishes and cutlery clattering", ["dishes"]),
        ("a door opening and closing", ["door"]),
        ("a train passes and blows its horn", ["train_horn"]),
        ("birds singing and birds chirping", ["bird_song"]),
        ("a dog barks and the fnord zlorps", ["dog_bark"]),
        ("a man whispers and a woman answers", [None]),
    ],
)
def test_a_text_means_one_sound_or_several(meanings, words, sounds):
    assert [sound for _, sound in meanings.sounds_of(words)] == sounds


def test_without_a_sentence_encoder_only_known_phrases_are_taken_apart():
    blind = Meanings(None)
    assert [sound for _, sound in blind.sounds_of("rain and a dog barking")] == ["rain", "dog_bark"]
    assert blind.sounds_of("drizzle and a hound") == (("drizzle and a hound", None),)


# What is not sure


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("a dog barking", ""),
        ("my neighbour's dog won't stop barking", ""),
        ("door no. 3", ""),
        ("rain on a tin roof", ""),
        ("qwrtz blargh", "for sure; taken for"),
        ("Ein Hund bellt", "for sure; taken for 'a bell ringing'"),
        ("Hund bellt", "for sure; taken for 'a bell ringing'"),
        ("no dog", "no, not, never and without are not understood; taken for 'a dog barking'"),
        ("a street without rain", "without are not understood; taken for"),
        ("an accordion", "is played by 'the entry', the nearest that the bank has"),
        ("somebody plays the xylophone", "is played by 'the entry', the nearest"),
        ("a church organ", "is played by 'the entry', the nearest"),
        (
            "a man speaking",
            "is no sound that the bank knows by name: what lies nearest is heard, 'the entry'",
        ),
    ],
)
def test_words_that_may_mean_something_else_than_what_is_heard_are_told(meanings, words, said):
    doubt = meanings.doubt(words, "the entry")
    assert said in doubt
    assert bool(said) == bool(doubt)
    assert not doubt or repr(words) in doubt


@pytest.mark.parametrize(
    ("words", "sound"),
    [("a dog barking", "dog_bark"), ("no dog", None), ("Hund bellt", None), ("a man speaking", None)],
)
def test_only_sounds_that_are_sure_are_sure(meanings, words, sound):
    assert meanings.sure_sound_of(words) == sound


def test_a_part_that_denies_is_not_taken_for_a_sound_beside_others(meanings):
    assert len(meanings.sounds_of("a dog barking, no rain")) == 1


def test_substitutes_are_phrases_and_no_sound_has_only_substitutes():
    known = phrases()
    assert substitutes() <= known.keys()
    assert not any(phrase.startswith("~") for phrase in known)
    assert {known[phrase] for phrase in known.keys() - substitutes()} == set(known.values())
    assert "a piano playing" not in substitutes()

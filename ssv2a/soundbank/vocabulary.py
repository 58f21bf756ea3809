"""The vocabulary: every kind of sound the mini bundle knows, by key, with captions.

One row a sound: key | kind | typical level at 1 m in dB, relative to a loud voice (0) | captions.
The first caption is canonical: the seen → heard table, the bank and the training data name it.
A texture is stationary and can go on for ever; an event is one shot with a rhythm of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from ssv2a.types import Kind

_ROWS = """
dog_bark | event | 0 | a dog barking | a dog barks a few times | a puppy yaps
cat_meow | event | -4 | a cat meowing | a cat meows softly | a kitten mews and purrs
cow_moo | event | 0 | a cow mooing | a cow moos in a pasture | cattle lowing
sheep_bleat | event | 0 | a sheep bleating | sheep bleat in a field | a lamb bleats
goat_bleat | event | 0 | a goat bleating | a goat bleats loudly
horse_neigh | event | 0 | a horse neighing | a horse snorts and neighs
horse_hooves | event | -4 | horse hooves clopping | a horse trots on a road | hooves gallop over ground
pig_grunt | event | -4 | a pig grunting | pigs grunt and oink | a hog snorts
chicken_cluck | event | -2 | a chicken clucking | hens cluck in a yard
rooster_crow | event | 4 | a rooster crowing | a cock crows at dawn
duck_quack | event | -4 | a duck quacking | ducks quack on a pond
goose_honk | event | -2 | a goose honking | geese honk
bird_song | texture | -8 | birds singing | songbirds chirping | birds twitter in the trees
bird_call | event | -6 | a bird calling | a bird squawks | a single bird cries
crow_caw | event | -2 | a crow cawing | a raven caws
owl_hoot | event | -6 | an owl hooting | an owl hoots at night
pigeon_coo | event | -10 | a pigeon cooing | doves coo
frog_croak | event | -6 | a frog croaking | frogs croak by a pond | a toad croaks
insects_night | texture | -10 | crickets chirping at night | insects buzz and chirp | cicadas sing
bee_buzz | texture | -10 | a bee buzzing | a fly buzzes around | insects humming
elephant_trumpet | event | 2 | an elephant trumpeting | an elephant bellows
lion_roar | event | 2 | a lion roaring | a big cat growls | a tiger roars
bear_growl | event | 0 | a bear growling | a large animal growls low
monkey_chatter | event | -2 | a monkey chattering | monkeys screech and hoot
wolf_howl | event | -2 | a wolf howling | a wolf howls far away
snake_hiss | event | -12 | a snake hissing | a reptile hisses
camel_groan | event | -2 | a camel groaning | a camel bellows
car_engine | texture | -4 | a car engine running | a car idles and revs | an automobile drives
car_pass | event | 0 | a car driving past | cars pass by on a road | a vehicle whooshes past
car_horn | event | 4 | a car horn honking | a car honks twice
truck_engine | texture | 0 | a truck engine rumbling | a heavy diesel lorry idles and drives
bus_engine | texture | -1 | a bus engine running | a bus pulls away with a diesel rumble
motorcycle_engine | texture | 2 | a motorcycle engine revving | a motorbike rides past
tractor_engine | texture | 1 | a tractor engine chugging | a farm tractor runs
bicycle_ride | texture | -14 | a bicycle freewheeling | bicycle chain and ratchet ticking
train_pass | texture | 4 | a train passing on rails | railway wheels clatter over joints | a tram rolls by
train_horn | event | 6 | a train horn blowing | a steam train whistles
airplane_jet | texture | 4 | a jet airplane flying over | an aircraft roars at takeoff
airplane_propeller | texture | 2 | a propeller airplane droning | a small plane flies over
helicopter | texture | 4 | a helicopter flying | helicopter rotor blades beat the air
boat_motor | texture | -2 | a motor boat engine running | an outboard motor drives a boat
boat_water | texture | -10 | water lapping against a boat | a harbour with creaking boats
ship_horn | event | 6 | a ship horn blowing | a ferry horn sounds low
siren | texture | 4 | a siren wailing | an emergency vehicle siren | a police siren
car_crash | event | 6 | a car crash | tyres skid and a vehicle crashes
cart_wagon | texture | -8 | a wooden cart rolling | wagon wheels creak and rattle
traffic | texture | -4 | traffic on a city street | busy road traffic hum
skateboard_roll | texture | -8 | a skateboard rolling | small wheels roll over pavement
footsteps_hard | event | -12 | footsteps on a hard floor | someone walks on pavement
footsteps_soft | event | -18 | footsteps on grass | soft footsteps on earth or snow
footsteps_gravel | event | -12 | footsteps on gravel | someone walks on stony ground
cloth_rustle | event | -22 | clothes rustling | fabric rustles with movement
crowd_babble | texture | -6 | a crowd of people murmuring | many voices babble in a market
applause | texture | -8 | applause | an audience claps and cheers
rain | texture | -6 | rain falling | steady rain on the ground | heavy rain pours
wind | texture | -10 | wind blowing | wind gusts across open land | a storm wind howls
thunder | event | 8 | thunder rumbling | thunder cracks in the distance
sea_waves | texture | -4 | waves breaking on a beach | ocean waves wash the shore | surf
river_stream | texture | -8 | a stream flowing | water babbles in a brook | a river runs
waterfall | texture | 0 | a waterfall | rushing water roars down
water_splash | event | -6 | water splashing | something splashes into water
water_pour | texture | -12 | water pouring | liquid is poured into a glass | a tap runs
bubbles | texture | -14 | bubbles in water | underwater bubbling
fire | texture | -8 | fire crackling | burning wood crackles and pops
leaves_rustle | texture | -14 | leaves rustling | branches and leaves move in the wind
steam_hiss | texture | -8 | steam hissing | gas or steam escapes
clock_tick | texture | -6 | a clock ticking | a clock ticks steadily
alarm_beep | event | 0 | an alarm beeping | electronic beeps
telephone_ring | event | 0 | a telephone ringing | an old phone bell rings
typing | texture | -14 | typing on a keyboard | computer keys click | a typewriter
mouse_click | event | -20 | a mouse clicking | a button clicks
camera_shutter | event | -14 | a camera shutter clicking | a camera takes a photograph
door | event | -4 | a door opening and closing | a gate creaks | a door slams
knock | event | -4 | knocking on a door | someone knocks on wood
glass_break | event | 0 | glass breaking | a window shatters
glass_clink | event | -10 | glasses clinking | a drinking glass is set down
dishes | event | -8 | dishes and cutlery clattering | plates clatter in a kitchen
frying | texture | -10 | food frying in a pan | sizzling oil
paper_rustle | event | -16 | paper rustling | pages of a book are turned
scissors | event | -14 | scissors cutting | scissors snip
hammer | event | 0 | hammering | a hammer strikes nails
saw | texture | -2 | sawing wood | a hand saw cuts a plank
chainsaw | texture | 4 | a chainsaw running | a chainsaw cuts a tree
drill | texture | 2 | a power drill | a drill bores
machinery | texture | 0 | machinery running | a machine clanks and hums | a mechanical workshop
fan_hum | texture | -12 | a fan humming | an air conditioner hums | a refrigerator hums
vacuum_cleaner | texture | 0 | a vacuum cleaner running | a vacuum motor whines
hair_dryer | texture | -2 | a hair dryer blowing | hot air blows
washing_machine | texture | -6 | a washing machine turning | a drum of laundry tumbles
printer | texture | -10 | a printer printing | a printer whirrs and feeds paper
metal_hit | event | 0 | a metallic hit | metal clangs and rings
sword_clash | event | -2 | swords clashing | a sword strikes a shield
wood_chop | event | 0 | chopping wood with an axe | an axe strikes a tree
tree_fall | event | 4 | a tree falling | timber cracks and falls
stone_hit | event | -2 | stones hitting | a pickaxe strikes rock
digging | event | -6 | digging earth | a shovel digs into soil
rubble_collapse | event | 4 | rubble collapsing | walls crash down
explosion | event | 8 | an explosion | a loud blast booms
gunshot | event | 8 | a gunshot | a gun fires
bow_arrow | event | -8 | a bow shooting an arrow | an arrow flies and hits
bell | event | 0 | a bell ringing | a church bell tolls
wind_chime | event | -12 | a wind chime | small bells chime
whistle | event | 2 | a whistle blowing | a referee whistle
ball_bounce | event | -6 | a ball bouncing | a basketball bounces on a court
racket_hit | event | -4 | a racket hitting a ball | a tennis ball is struck
guitar | event | -4 | a guitar strumming | guitar strings are plucked
piano | event | -4 | a piano playing | piano notes
drum | event | 0 | a drum beating | drums are played
flute | event | -4 | a flute playing | a wind instrument plays
trumpet | event | 6 | a trumpet playing | a brass instrument plays
violin | event | -4 | a violin playing | bowed strings play
room_tone | texture | -30 | quiet room tone | silence in a quiet room
"""

# Rhythms that go on while their source is seen: who is seen walking is heard walking.
GAITS = frozenset({"footsteps_hard", "footsteps_soft", "footsteps_gravel", "horse_hooves"})

# Steady and broad in frequency: beside these, other sounds are hard to hear (simultaneous masking).
MASKING = frozenset(
    {
        *("rain", "wind", "sea_waves", "river_stream", "waterfall", "water_pour", "fire"),
        *("leaves_rustle", "applause", "crowd_babble", "traffic", "fan_hum", "steam_hiss", "vacuum_cleaner"),
        "hair_dryer",
    }
)


@dataclass(frozen=True, slots=True)
class Sound:
    """One kind of sound."""

    key: str
    kind: Kind
    level_db: float  # typical level at 1 m, relative to a loud voice (0)
    captions: tuple[str, ...]

    @property
    def caption(self) -> str:
        """The canonical caption."""
        return self.captions[0]


@cache
def vocabulary() -> dict[str, Sound]:
    """Every sound by key."""
    sounds: dict[str, Sound] = {}
    for row in _ROWS.strip().splitlines():
        key, kind, level, *captions = (part.strip() for part in row.split("|"))
        sounds[key] = Sound(key, "texture" if kind == "texture" else "event", float(level), tuple(captions))
    return sounds

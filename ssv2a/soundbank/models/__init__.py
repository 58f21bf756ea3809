"""Procedural sound models, one module a family."""

from __future__ import annotations

from functools import cache

from ssv2a.soundbank.model import SoundModel
from ssv2a.soundbank.models import (
    aircraft,
    balls,
    beasts,
    birds,
    blasts,
    crockery,
    crowd,
    crows,
    doors,
    elephants,
    engines,
    handwork,
    horses,
    impacts,
    machines,
    mammals,
    mechanisms,
    metal,
    music,
    passing,
    people,
    piano,
    primates,
    signals,
    small_animals,
    steps,
    violin,
    water,
    weather,
    wood,
)

_FAMILIES = (
    engines,
    passing,
    aircraft,
    signals,
    mammals,
    elephants,
    beasts,
    primates,
    horses,
    birds,
    small_animals,
    people,
    crowd,
    crows,
    steps,
    weather,
    water,
    blasts,
    impacts,
    balls,
    crockery,
    metal,
    handwork,
    wood,
    doors,
    machines,
    mechanisms,
    music,
    piano,
    violin,
)


@cache
def all_models() -> dict[str, SoundModel]:
    """Every model by its name."""
    return {model.name: model for family in _FAMILIES for model in family.MODELS}

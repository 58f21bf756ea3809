"""Procedural sound models, one module a family."""

from __future__ import annotations

from functools import cache

from ssv2a.soundbank.model import SoundModel
from ssv2a.soundbank.models import (
    aircraft,
    birds,
    blasts,
    doors,
    engines,
    handwork,
    impacts,
    machines,
    mammals,
    music,
    passing,
    people,
    signals,
    small_animals,
    steps,
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
    birds,
    small_animals,
    people,
    steps,
    weather,
    water,
    blasts,
    impacts,
    handwork,
    wood,
    doors,
    machines,
    music,
)


@cache
def all_models() -> dict[str, SoundModel]:
    """Every model by its name."""
    return {model.name: model for family in _FAMILIES for model in family.MODELS}

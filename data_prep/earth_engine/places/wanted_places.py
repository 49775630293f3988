"""Which places of a file are asked for."""

from collections.abc import Iterable

from data_prep.earth_engine.places.place import Place
from data_prep.earth_engine.places.places import read_places
from data_prep.earth_engine.recipe import Recipe
from s2distill.errors import ConfigError


def list_wanted(
    places: Iterable[Place], recipe: Recipe
) -> tuple[list[Place], list[Place]]:
    """Places to ask for, and those in held-out blocks that nothing scores."""
    wanted, held_out = [], []
    for place in places:
        useful = place.split == "train" or recipe.label_fields
        (wanted if useful else held_out).append(place)
    return wanted, held_out


def read_wanted(path: str, recipe: Recipe, date: str) -> list[Place]:
    """The places of a file that are asked for; there is at least one.

    Args:
      path: Places file.
      recipe: What is asked for.
      date: "YYYY-MM-DD" of places that have none; "" if all should have one.

    Raises:
      PlaceError: It is no places file.
      ConfigError: No place is wanted, or one has no date.
    """
    wanted, _ = list_wanted(read_places(path).places, recipe)
    if not wanted:
        raise ConfigError(
            f"{path} has no place to ask for: all are held out, and there are "
            "no labels to score them by; sample places for train"
        )
    undated = [place.key for place in wanted if not place.date]
    if undated and not date:
        raise ConfigError(
            f"{len(undated)} places of {path} have no date (the first: "
            f"{undated[0]}); give --date=YYYY-MM-DD, or sample places with "
            "--date"
        )
    return wanted

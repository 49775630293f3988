"""A subject with all its numbers: what every family of findings is given."""

import dataclasses
from collections.abc import Iterator

from data_prep.diagnosis.alignment import Alignment
from data_prep.diagnosis.alignment import align_place
from data_prep.diagnosis.clear import estimate_clear
from data_prep.diagnosis.measure import FrameFacts
from data_prep.diagnosis.measure import measure_frame
from data_prep.diagnosis.subject import Frame
from data_prep.diagnosis.subject import Place
from data_prep.diagnosis.subject import Subject


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Look:
    """One frame, with its numbers.

    Attributes:
      frame: The frame.
      facts: Of the frame.
      alignment: With the others of its place; None if nothing can be said.
      clear_share: Estimated share of its pixels that are clear; None if the
        bands are not known.
    """

    frame: Frame
    facts: FrameFacts
    alignment: Alignment | None
    clear_share: float | None

    @property
    def name(self) -> str:
        """Of the frame."""
        return self.frame.name


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class MeasuredPlace:
    """One place, with the numbers of its frames."""

    place: Place
    looks: tuple[Look, ...]

    @property
    def measured(self) -> tuple[Look, ...]:
        """Frames of which enough is seen, and that vary."""
        return tuple(look for look in self.looks if look.facts.is_measured)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """A subject with all its numbers."""

    subject: Subject
    places: tuple[MeasuredPlace, ...]

    def looks(self) -> Iterator[Look]:
        """Every frame of every place."""
        for place in self.places:
            yield from place.looks


def measure_subject(subject: Subject) -> Measured:
    """Measures every frame that was opened; a bar shows the progress."""
    import tqdm

    places = [
        measure_place(place)
        for place in tqdm.tqdm(
            subject.places,
            desc="measuring",
            unit="place",
            disable=len(subject.places) < 2,
        )
    ]
    return Measured(subject=subject, places=tuple(places))


def measure_place(place: Place) -> MeasuredPlace:
    """Measures every frame of a place."""
    facts = [measure_frame(frame) for frame in place.frames]
    alignments = align_place(place, facts)
    clear = estimate_clear(place.frames, facts)
    return MeasuredPlace(
        place=place,
        looks=tuple(
            Look(frame=frame, facts=fact, alignment=how, clear_share=share)
            for frame, fact, how, share in zip(
                place.frames, facts, alignments, clear, strict=True
            )
        ),
    )

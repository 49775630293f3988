"""What a caller may catch: one base class, one line of meaning each.

Every message names the value, the file it came from, and the way out.
"""


class S2DistillError(Exception):
    """Anything this package refuses; programs print it and exit with 1."""


class ConfigError(S2DistillError):
    """A flag or configuration value is unknown, missing or contradictory."""


class BandError(S2DistillError):
    """A band is unknown, absent from a file, or not what a model saw."""


class ProductLevelError(S2DistillError):
    """L1C and L2A, or two offsets, would be mixed."""


class RasterError(S2DistillError):
    """A raster file is absent, broken, or no raster."""


class GridError(S2DistillError):
    """A raster has no position, a wrong CRS, or does not overlap another."""


class FrameError(S2DistillError):
    """There is no Sentinel-2 frame, or none with a usable pixel."""


class VectorError(S2DistillError):
    """A vector file holds no usable geometry."""


class RecordError(S2DistillError):
    """A record file is cut, of another schema version, or lacks a field."""


class PlaceError(S2DistillError):
    """A file of places is no such file, or a region gives no place."""


class EarthEngineError(S2DistillError):
    """Earth Engine cannot be reached, or refuses."""


class AnswerError(EarthEngineError):
    """An answer of Earth Engine is not the one that was asked for."""


class SplitError(S2DistillError):
    """Two splits touch on the ground, or a split is empty."""


class ModelError(S2DistillError):
    """A SavedModel or its card is absent or does not fit the input."""


class OutputError(S2DistillError):
    """A result cannot be written: it exists already, or the disk is full."""


class TrainingError(S2DistillError):
    """Training cannot go on, for example at a loss that is not finite."""

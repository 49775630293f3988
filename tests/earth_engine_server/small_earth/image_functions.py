"""Functions of Earth Engine on images, for `functions`."""

# ruff: noqa: N803  arguments have the names that the service gives them

import dataclasses

import numpy as np
import rasterio.features
import rasterio.warp

from tests.earth_engine_server.small_earth.world import Picture
from tests.earth_engine_server.small_earth.world import Projection
from tests.earth_engine_server.small_earth.world import make_picture


def _constant(world, value):
    values = value if isinstance(value, list) else [value]
    names = (
        [f"constant_{n}" for n in range(len(values))]
        if isinstance(value, list)
        else ["constant"]
    )
    return make_picture(
        {n: world.empty(v) for n, v in zip(names, values, strict=True)}
    )


def _select(_, input, bandSelectors, newNames=None):
    return input.pick(bandSelectors, newNames)


def _add_bands(_, dstImg, srcImg):
    if set(dstImg.bands) & set(srcImg.bands):
        raise ValueError(f"{dstImg.bands} and {srcImg.bands} share a band")
    # What lies outside of the first one's footprint is lost.
    masks = {band: srcImg.seen(band) for band in srcImg.bands}
    return dataclasses.replace(
        dstImg,
        values=dstImg.values | srcImg.values,
        masks=dstImg.masks | masks,
        types=dstImg.types | srcImg.types,
    )


def _unmask(_, input, value, sameFootprint=True):
    (fill,) = value.values.values()
    values = {
        band: np.where(input.seen(band) == 0, fill, array)
        for band, array in input.values.items()
    }
    masks = {
        band: np.where(input.seen(band) == 0, 1.0, input.masks[band])
        for band in input.bands
    }
    inside = input.inside if sameFootprint else np.ones_like(input.inside)
    return dataclasses.replace(
        input, values=values, masks=masks, inside=inside, types={}
    )


def _update_mask(_, image, mask):
    (band,) = mask.bands
    factor = mask.values[band] * (mask.seen(band) > 0)
    masks = {name: image.masks[name] * factor for name in image.bands}
    return dataclasses.replace(image, masks=masks)


def _mask(_, image):
    values = {band: image.seen(band) for band in image.bands}
    ones = {band: np.ones_like(array) for band, array in values.items()}
    return dataclasses.replace(image, values=values, masks=ones, types={})


def _reduce(_, image, reducer):
    stack = np.stack([image.values[band] for band in image.bands])
    masks = np.stack([image.seen(band) for band in image.bands])
    fill, function = {"min": (np.inf, np.min), "max": (-np.inf, np.max)}[
        reducer
    ]
    reduced = function(np.where(masks > 0, stack, fill), 0)
    seen = masks.max(0)
    return Picture(
        values={reducer: np.where(seen > 0, reduced, 0)},
        masks={reducer: seen},
        inside=image.inside,
        properties=image.properties,
        crs=image.crs,
    )


def _reduce_region(world, image, reducer, geometry, scale, crs, maxPixels=1e7):
    assert reducer == "mean"
    left, bottom, right, top = geometry.shape.bounds
    assert (right - left) * (top - bottom) / scale**2 <= maxPixels
    assert crs.crs == world.grid.crs
    if geometry.shape.bounds != world.grid.bounds:
        raise ValueError("this double knows one region only, its grid")
    found = {}
    for band in image.bands:
        weights = image.seen(band)
        found[band] = (
            np.sum(image.values[band] * weights) / weights.sum()
            if weights.any()
            else None
        )
    return found


def _cast(_, image, bandTypes, bandOrder=None):
    if set(bandTypes) != set(image.bands):
        raise ValueError(f"{list(bandTypes)} are not {image.bands}")
    for band, kind in bandTypes.items():
        _check_type(image, band, kind)
    image = dataclasses.replace(image, types=dict(bandTypes))
    return image.pick(bandOrder) if bandOrder else image


def _check_type(image, band, kind):
    """Refuses numbers that would be changed by a cast."""
    values = image.values[band][image.seen(band) > 0]
    if not np.array_equal(values, values.astype(kind)):
        raise ValueError(f"{band} does not fit {kind}: {values}")


def _to_uint16(_, value):
    for band in value.bands:
        _check_type(value, band, "uint16")
    return dataclasses.replace(
        value, types=dict.fromkeys(value.bands, "uint16")
    )


def _binary(function):
    def compute(_, image1, image2):
        (other,) = image2.bands
        masks = {
            band: np.minimum(image1.masks[band], image2.seen(other))
            for band in image1.bands
        }
        image = image1.map(lambda array: function(array, image2.values[other]))
        return dataclasses.replace(image, masks=masks)

    return compute


def _link(_, input, imageCollection, linkedBands):
    index = input.properties["system:index"]
    found = [
        image
        for image in imageCollection
        if image.properties["system:index"] == index
    ]
    nothing = np.zeros_like(next(iter(input.values.values())))
    values, masks = dict(input.values), dict(input.masks)
    for band in linkedBands:
        values[band] = found[0].values[band] if found else nothing
        masks[band] = found[0].seen(band) if found else nothing
    return dataclasses.replace(input, values=values, masks=masks)


def _to_bands(_, collection):
    values, masks, types = {}, {}, {}
    for image in collection:
        for band in image.bands:
            name = f"{image.properties['system:index']}_{band}"
            if name in values:
                raise ValueError(f"two bands {name}")
            values[name] = image.values[band]
            masks[name] = image.seen(band)
            types[name] = image.types[band]
    inside = np.ones_like(collection[0].inside)
    return Picture(values, masks, inside, types)


def _mosaic(_, collection):
    first = collection[0]
    values = {band: array.copy() for band, array in first.values.items()}
    masks = {band: first.seen(band).copy() for band in first.bands}
    for image in collection[1:]:
        for band in first.bands:
            seen = image.seen(band) > 0
            values[band][seen] = image.values[band][seen]
            masks[band][seen] = image.seen(band)[seen]
    inside = np.any([image.inside for image in collection], 0)
    return Picture(values, masks, inside)


def _paint(world, image, featureCollection, color):
    (band,) = image.bands
    array = image.values[band].copy()
    for feature in featureCollection:
        value = feature.properties[color] if isinstance(color, str) else color
        covered = rasterio.features.rasterize(
            [feature.geometry.shape], array.shape, transform=world.grid.affine
        )
        array[covered > 0] = value
    return image.map(lambda _: array)


def _reduce_to_image(world, collection, properties, reducer):
    assert reducer == "count"
    counts = world.empty()
    for feature in collection:
        assert all(feature.properties[name] for name in properties)
        point = feature.geometry.shape
        a, _, left, _, e, top = world.grid.transform
        col = int(np.floor((point.x - left) / a))
        row = int(np.floor((point.y - top) / e))
        if 0 <= row < counts.shape[0] and 0 <= col < counts.shape[1]:
            counts[row, col] += 1
    # Pixels that no feature touches are masked.
    return make_picture({"count": counts}, masks={"count": counts > 0})


def _pixel_lon_lat(world):
    a, _, left, _, e, top = world.grid.transform
    x, y = np.meshgrid(
        left + a * (np.arange(world.grid.width) + 0.5),
        top + e * (np.arange(world.grid.height) + 0.5),
    )
    lon, lat = rasterio.warp.transform(
        world.grid.crs, "EPSG:4326", x.ravel(), y.ravel()
    )
    return make_picture(
        {
            "longitude": np.reshape(lon, x.shape),
            "latitude": np.reshape(lat, x.shape),
        }
    )


IMAGE_FUNCTIONS = {
    "Image.load": lambda world, id: world.assets[id],
    "Image.constant": _constant,
    "Image.pixelLonLat": _pixel_lon_lat,
    "Image.select": _select,
    "Image.rename": lambda _, input, names: input.pick(input.bands, names),
    "Image.addBands": _add_bands,
    "Image.unmask": _unmask,
    "Image.updateMask": _update_mask,
    "Image.mask": _mask,
    "Image.reduce": _reduce,
    "Image.reduceRegion": _reduce_region,
    "Image.cast": _cast,
    "Image.toUint16": _to_uint16,
    "Image.projection": lambda _, image: Projection(image.crs),
    "Image.resample": lambda _, image, mode: image,
    "Image.linkCollection": _link,
    "Image.add": _binary(np.add),
    "Image.subtract": _binary(np.subtract),
    "Image.multiply": _binary(np.multiply),
    "Image.divide": _binary(np.divide),
    "Image.mod": _binary(np.fmod),  # of the sign of the dividend
    "Image.gt": _binary(np.greater),
    "Image.gte": _binary(np.greater_equal),
    "Image.round": lambda _, value: value.map(lambda v: np.floor(v + 0.5)),
    "Image.clamp": lambda _, input, low, high: input.map(
        lambda v: np.clip(v, low, high)
    ),
    "ImageCollection.toBands": _to_bands,
    "ImageCollection.mosaic": _mosaic,
    "Image.paint": _paint,
    "Collection.reduceToImage": _reduce_to_image,
}

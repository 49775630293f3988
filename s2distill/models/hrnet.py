"""High-resolution network: branches at several scales that keep exchanging.

Branch i works on pixels 2^i times as large as branch 0. The functions wire
Keras layers; a network is a list of images, finest first.

Source:
  Wang et al. 2020, "Deep High-Resolution Representation Learning",
  arXiv:1908.07919, section 3.
"""

from collections.abc import Sequence
from typing import Any

import keras

from s2distill.models.blocks import CropLike
from s2distill.models.blocks import ResidualBlock


def add_branch(branches: Sequence[Any], channels: int, name: str) -> list[Any]:
    """The branches and one more, half as fine as the coarsest."""
    coarser = keras.layers.Conv2D(
        channels,
        3,
        strides=2,
        padding="same",
        kernel_initializer="he_normal",
        name=f"{name}_down",
    )(branches[-1])
    return [*branches, coarser]


def stage(branches: Sequence[Any], blocks: int, name: str) -> list[Any]:
    """`blocks` residual blocks on each branch, then an exchange."""
    deeper = []
    for i, x in enumerate(branches):
        for j in range(blocks):
            x = ResidualBlock(x.shape[-1], name=f"{name}_b{i}_r{j}")(x)
        deeper.append(x)
    return exchange(deeper, name)


def exchange(branches: Sequence[Any], name: str) -> list[Any]:
    """Each branch plus all others, resampled to it (section 3.2)."""
    if len(branches) == 1:
        return list(branches)
    mixed = []
    for i, target in enumerate(branches):
        terms = [target]
        for j, source in enumerate(branches):
            if j > i:
                terms.append(
                    _upsample(source, target, j - i, f"{name}_{j}to{i}")
                )
            elif j < i:
                terms.append(
                    _downsample(source, target, i - j, f"{name}_{j}to{i}")
                )
        mixed.append(keras.layers.Add(name=f"{name}_sum{i}")(terms))
    return mixed


def _upsample(source: Any, target: Any, octaves: int, name: str) -> Any:
    x = keras.layers.Conv2D(target.shape[-1], 1, name=f"{name}_narrow")(source)
    # Nearest, as in the original: what follows smooths it, and its gradient
    # costs a tenth of the bilinear one on a CPU.
    x = keras.layers.UpSampling2D(2**octaves, name=f"{name}_up")(x)
    return CropLike(name=f"{name}_crop")(x, target)


def _downsample(source: Any, target: Any, octaves: int, name: str) -> Any:
    x = source
    for k in range(octaves):
        last = k == octaves - 1
        x = keras.layers.Conv2D(
            target.shape[-1] if last else source.shape[-1],
            3,
            strides=2,
            padding="same",
            activation=None if last else "relu",
            name=f"{name}_down{k}",
        )(x)
    return x

"""The optimizer: Muon for kernels, AdamW for the rest, one learning rate."""

import math
from typing import Any

import keras
from keras import ops

# Layers at the ends of a network map to and from physical quantities, whose
# scales differ; an update of equal size in all directions does not suit them.
_ENDS = ("stem", "heads_raw")
# AdamW's own learning rate over Muon's.
_ADAMW_RATIO = 0.3


def make_optimizer(
    *,
    steps: int,
    learning_rate: float,
    warmup_steps: int,
    weight_decay: float,
    clip_norm: float,
) -> keras.optimizers.Optimizer:
    """Muon and AdamW with warm-up, cosine decay to 0, and clipping.

    Args:
      steps: In all; the rate is 0 from there on.
      learning_rate: At its highest, of Muon; of AdamW 0.3 times that.
      warmup_steps: Of linear rise.
      weight_decay: Share of a weight lost in a step at learning rate 1.
      clip_norm: Largest norm of the gradient over all weights.
    """
    return ConvMuon(
        WarmupCosine(
            peak=learning_rate, steps=steps, warmup_steps=warmup_steps
        ),
        weight_decay=weight_decay,
        adam_weight_decay=weight_decay,
        adam_lr_ratio=_ADAMW_RATIO,
        global_clipnorm=clip_norm,
        exclude_layers=list(_ENDS),
    )


@keras.saving.register_keras_serializable(package="s2distill")
class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):
    """Rises from 0 in a line, falls to 0 by a cosine.

    Keras' own `CosineDecay` branches on the step. Weight decay asks for the
    rate once for each weight, and as many conditionals in one graph make its
    first step take 20 s longer.

    Attributes:
      peak: Highest rate.
      steps: In all.
      warmup_steps: Steps of the rise; fewer where there are fewer in all.
    """

    def __init__(self, *, peak: float, steps: int, warmup_steps: int) -> None:
        super().__init__()
        self.peak = peak
        self.steps = steps
        self.warmup_steps = warmup_steps

    def __call__(self, step: Any) -> Any:
        warmup = min(self.warmup_steps, self.steps - 1)
        step = ops.cast(step, "float32")
        rise = ops.minimum(step / warmup, 1.0) if warmup else 1.0
        done = ops.clip((step - warmup) / (self.steps - warmup), 0.0, 1.0)
        return self.peak * rise * 0.5 * (1.0 + ops.cos(math.pi * done))

    def get_config(self) -> dict[str, Any]:
        return {
            "peak": self.peak,
            "steps": self.steps,
            "warmup_steps": self.warmup_steps,
        }


@keras.saving.register_keras_serializable(package="s2distill")
class ConvMuon(keras.optimizers.Muon):
    """Keras' Muon, for kernels of convolutions too.

    Keras leaves all but matrices to AdamW. A kernel [rows, cols, in, out] is
    the matrix [rows cols in, out] of the same linear map of patches.

    The Newton-Schulz iteration runs on the square matrix X'X of the smaller
    side, and the kernel is multiplied by its product once: all factors are
    polynomials of X'X, so they commute. For a kernel of 3x3 that is a third of
    the arithmetic, and faster in float32 than the plain iteration in bfloat16
    on a CPU with bfloat16 units; what float32 loses of X'X are singular values
    1e-4 times the greatest and smaller.

    Source:
      Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural
      networks"; scale of the update: Liu et al. 2025, arXiv:2502.16982.
    """

    def _should_use_adamw(self, variable: Any) -> bool:
        return len(variable.shape) < 2 or any(
            name in variable.path for name in self.exclude_layers
        )

    def _muon_update_step(
        self, gradient: Any, variable: Any, lr: Any, m: Any
    ) -> None:
        self.assign_add(m, ops.add(gradient, m * (self.momentum - 1)))
        update = m
        if self.nesterov:
            update = ops.add(gradient, self.momentum * m)
        matrix = ops.reshape(update, (-1, variable.shape[-1]))
        matrix = self.zeropower_via_newtonschulz5(matrix, self.ns_steps)
        step = self.lr_adjust(lr * matrix)
        self.assign_sub(variable, ops.reshape(step, variable.shape))

    def zeropower_via_newtonschulz5(self, x: Any, steps: int) -> Any:
        """A matrix with the singular vectors of x and values near 1."""
        tall = x.shape[0] >= x.shape[1]
        x = x / (ops.norm(x) + 1e-7)  # no singular value above 1
        turned = ops.transpose(x)
        gram = ops.matmul(turned, x) if tall else ops.matmul(x, turned)
        product = None
        for step in range(steps):
            factor = (
                self.muon_a * ops.eye(gram.shape[0], dtype=x.dtype)
                + self.muon_b * gram
                + self.muon_c * ops.matmul(gram, gram)
            )
            product = factor if product is None else ops.matmul(factor, product)
            if step < steps - 1:
                gram = ops.matmul(ops.matmul(factor, gram), factor)
        return ops.matmul(x, product) if tall else ops.matmul(product, x)

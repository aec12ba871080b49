"""Options that `draw` and `create` share, in the groups of their help."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, TypeAlias

import tyro

from sketch_pix2seq.drawing.model import FREEDOM, DrawSettings
from sketch_pix2seq.drawing.sampler import SampleSettings

Freedom: TypeAlias = Annotated[
    float | None, tyro.conf.arg(help_behavior_hint=f"(default: {FREEDOM}; 0 for a model without a flow)")
]


@dataclass(frozen=True)
class Sampling(SampleSettings):
    """The sampler. The defaults suit the bundled model."""

    guidance: float = DrawSettings.guidance
    """Weight of classifier-free guidance in the flow: 1 is as varied as people's drawings, more is clearer and
    less varied. Used where freedom is above 0 and without a picture."""

    def with_freedom(self, freedom: float | None) -> DrawSettings:
        """All that `Model.draw` is told. Raises SettingsError for a freedom outside 0..1."""
        return DrawSettings(**asdict(self), freedom=freedom)

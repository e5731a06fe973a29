"""The curves of a study: what all runs of one variant at one size have in common.

What is asked of a study again and again is answered here once: which curve a run lies on, whether
schemes share it, its settings, and what one of its runs costs.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from ..parametrization.rules import SCHEMES
from ..runs.digests import Digests
from ..runs.run import SHARED_SCHEME, CurveSettings, ProgramSettings, RunSettings, RunSpec
from ..statistics.design import CurveKey
from ..study.model_work import ModelWork
from ..study.program import Program
from ..study.study import Study
from ..study.variants import Variant


@dataclass(frozen=True, kw_only=True)
class Curve:
    """The runs of one variant at one size, whatever their rates and seeds.

    Attributes:
        variant: Scheme, and a value of each varied setting.
        size: Size along the study's axis.
        width: Width of the models.
        scheme: Scheme of its runs; `base` where all schemes are the same.
        settings: What its runs have in common.
    """

    variant: Variant
    size: int
    width: int
    scheme: str
    settings: CurveSettings

    @property
    def shared_key(self) -> CurveKey:
        """Key of the curve; schemes that share its runs give it the same one."""
        if self.scheme == SHARED_SCHEME:
            return self.variant.name_under(SHARED_SCHEME), self.size
        return self.variant.name, self.size

    @property
    def training_flops(self) -> float | None:
        """Floating-point operations of one run; None where they are not known beforehand."""
        if not isinstance(self.settings, RunSettings):
            return None
        return self.settings.work.training_flops(self.width)

    def run(self, lr: float, seed: int) -> RunSpec:
        """Return the run at a learning rate with a seed."""
        return RunSpec(self.settings, self.scheme, self.width, lr, seed)


class Curves(Mapping[CurveKey, Curve]):
    """Every curve of a study, by name of the variant and size; the target's among them."""

    def __init__(self, study: Study, digests: Digests) -> None:
        """Compute the curves of a study whose data and code have these digests."""
        self._curves = {
            (variant.name, size): _make_curve(study, variant, size, digests)
            for variant in study.variants
            for size in dict.fromkeys((*study.measured_sizes, study.target))
        }

    def __getitem__(self, key: CurveKey) -> Curve:
        """Return the curve of a variant at a size."""
        return self._curves[key]

    def __iter__(self) -> Iterator[CurveKey]:
        """Iterate over the keys."""
        return iter(self._curves)

    def __len__(self) -> int:
        """Return the number of curves, shared ones counted for each scheme."""
        return len(self._curves)

    @cached_property
    def sharing(self) -> Mapping[CurveKey, tuple[CurveKey, ...]]:
        """The keys of all curves, by the key that those with the same runs share."""
        sharing: dict[CurveKey, list[CurveKey]] = {}
        for key, curve in self.items():
            sharing.setdefault(curve.shared_key, []).append(key)
        return {shared: tuple(keys) for shared, keys in sharing.items()}

    @cached_property
    def flops_by_size(self) -> Mapping[int, float]:
        """Operations of the costliest run of every size; infinite where they are not known."""
        largest: dict[int, float] = {}
        for curve in self.values():
            flops = math.inf if curve.training_flops is None else curve.training_flops
            largest[curve.size] = max(largest.get(curve.size, 0.0), flops)
        return largest


def _make_curve(study: Study, variant: Variant, size: int, digests: Digests) -> Curve:
    match study.work_at(variant, size):
        case Program() as program:
            values = study.values_at(variant, size)
            settings: CurveSettings = ProgramSettings(program=program, values=values)
            scheme = variant.scheme
        case ModelWork() as work:
            settings = RunSettings(
                base_width=study.base_width,
                study_seed=study.study_seed,
                work=work,
                data_digest=digests.data,
                code_digest=digests.code,
            )
            is_shared = study.width_at(size) == study.base_width and _is_base(work, variant)
            scheme = SHARED_SCHEME if is_shared else variant.scheme
    return Curve(
        variant=variant, size=size, width=study.width_at(size), scheme=scheme, settings=settings
    )


def _is_base(work: ModelWork, variant: Variant) -> bool:
    """Tell whether a variant trains, at the base width, what every relative scheme trains there.

    All do but those that scale the branches with depth, where the depth is not the base depth.
    """
    base_depth = work.parametrization.base_depth
    return base_depth in {None, work.depth} or not SCHEMES[variant.scheme].depth

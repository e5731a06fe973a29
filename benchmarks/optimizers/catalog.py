"""The configurations tried: class, rule and options of optimizers that public packages hold.

A package that is not installed is left out. The rule is the one that the name of the optimizer
suggests, so that some are wrong on purpose.
"""

import importlib
import importlib.util
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

LR, DECAY = 2.0**-7, 2.0**-3

AT_RATE = {"lr": LR}  # the constructor given the rate, too


@dataclass(frozen=True)
class Configuration:
    """An optimizer as a user would make it.

    Attributes:
        module: Where its class is imported from.
        name: Name of the class.
        follows: The rule that it is said to follow.
        options: What its constructor is given beside the groups.
        in_groups: What each group holds beside what the recipe writes.
        distribution: Name of the package that is installed.
    """

    module: str
    name: str
    follows: str = "adamw"
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    in_groups: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    distribution: str = ""

    @property
    def package(self) -> str:
        """The distribution, for its version."""
        return self.distribution or self.module.split(".", maxsplit=1)[0]

    @property
    def label(self) -> str:
        """The class with its options."""
        options = {**self.options, **self.in_groups}
        told = ", ".join(f"{key}={_tell(value)}" for key, value in options.items())
        return f"{self.name}({told})" if told else self.name


def list_configurations() -> list[Configuration]:
    """Return those whose package is installed."""
    every = [*_list_own(), *_list_pytorch_optimizer(), *_list_torch_optimizer()]
    return [c for c in every if importlib.util.find_spec(c.module.split(".", maxsplit=1)[0])]


def _tell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else repr(value)


def _list_own() -> Iterator[Configuration]:
    for module, distribution, rows in _PACKAGES:
        for name, follows, *options in rows:
            given, in_groups = [*options, {}, {}][:2]
            yield Configuration(module, name, follows, given, in_groups, distribution)


_GALORE = {"rank": 16, "update_proj_gap": 200, "scale": 1.0, "proj_type": "std"}
_APOLLO = {"rank": 16, "update_proj_gap": 200, "scale": 1.0, "proj_type": "std", "proj": "random"}
_PACKAGES: tuple[tuple[str, str, tuple[tuple[Any, ...], ...]], ...] = (
    ("torch.optim", "torch", (
        ("AdamW", "adamw"), ("AdamW", "adamw", {"amsgrad": True}), ("Adam", "adamw"),
        ("Adam", "adamw", {"decoupled_weight_decay": True}), ("NAdam", "adamw"),
        ("NAdam", "adamw", {"decoupled_weight_decay": True}), ("Adamax", "adamw"),
        ("RMSprop", "adamw"), ("Adagrad", "adamw"), ("SGD", "sgd"),
        ("SGD", "sgd", {"momentum": 0.9}), ("SGD", "sgd", {"momentum": 0.9, "nesterov": True}),
        ("SGD", "adamw"), ("ASGD", "sgd"), ("RAdam", "adamw"), ("Rprop", "adamw"),
        ("Adadelta", "adamw"), ("Muon", "muon_keller"), ("Muon", "muon_plain"),
        ("Muon", "muon_kimi", {"adjust_lr_fn": "match_rms_adamw"}),
        ("Muon", "muon_keller", {"adjust_lr_fn": "match_rms_adamw"}),
    )),
    ("transformers", "transformers", (
        ("Adafactor", "adafactor", {"relative_step": False}),
        ("Adafactor", "adafactor", {"relative_step": False, "scale_parameter": False}),
        ("Adafactor", "adafactor"),
    )),
    ("optimi", "torch-optimi", (
        ("AdamW", "adamw", AT_RATE), ("Adam", "adamw", AT_RATE), ("Lion", "lion", AT_RATE),
        ("Adan", "adamw", AT_RATE), ("SGD", "sgd", AT_RATE), ("StableAdamW", "adamw", AT_RATE),
        ("Ranger", "adamw", AT_RATE), ("RAdam", "adamw", AT_RATE),
        ("AdamW", "adamw", AT_RATE | {"decouple_lr": True}),
        ("AdamW", "adamw", {"lr": 1e-3, "decouple_lr": True}),
        ("Lion", "lion", {"lr": 1e-4, "decouple_lr": True}),
    )),
    ("torchao.optim", "torchao", (
        ("_AdamW", "adamw"), ("AdamW8bit", "adamw"), ("AdamW4bit", "adamw"),
        ("AdamWFp8", "adamw"), ("Adam8bit", "adamw"),
    )),
    ("schedulefree", "schedulefree", (
        ("AdamWScheduleFree", "adamw"), ("SGDScheduleFree", "sgd"),
        ("RAdamScheduleFree", "adamw"), ("AdamWScheduleFreeReference", "adamw"),
    )),
    ("lion_pytorch", "lion-pytorch", (
        ("Lion", "lion"), ("Lion", "lion", {"decoupled_weight_decay": True}),
        ("Lion", "lion", AT_RATE | {"decoupled_weight_decay": True}), ("Lion", "sgd"),
    )),
    ("adan_pytorch", "adan-pytorch", (("Adan", "adamw"),)),
    ("soap", "", (("SOAP", "soap"),)),
    ("dion", "", (
        ("Muon", "muon_spectral"), ("Muon", "muon_kimi", {"adjust_lr": "rms_norm"}),
        ("Muon", "muon_plain", {"adjust_lr": None}), ("Muon", "muon_keller"),
        ("Dion", "muon_spectral", {"rank_fraction": 1.0}), ("NorMuon", "muon_spectral"),
        ("Dion2", "muon_spectral"), ("Muon", "adamw", {}, {"algorithm": "adamw"}),
        ("Muon", "lion", {}, {"algorithm": "lion"}),
    )),
    ("muon", "muon-optimizer", (
        ("SingleDeviceMuon", "muon_keller"),
        ("SingleDeviceMuonWithAuxAdam", "muon_keller", {}, {"use_muon": True}),
        ("SingleDeviceMuonWithAuxAdam", "adamw", {}, {"use_muon": False}),
    )),
    ("omnimuon", "omnimuon", (("OmniMuon", "muon_keller"), ("Muon", "muon_keller"))),
    ("heavyball", "heavyball", tuple(
        (name, follows) for name, follows in (
            ("AdamW", "adamw"), ("Muon", "muon_keller"), ("Scion", "muon_spectral"),
            ("AdamC", "adamw"), ("ADOPT", "adamw"), ("LaProp", "adamw"), ("SOAP", "soap"),
            ("NAdam", "adamw"), ("RMSprop", "adamw"), ("SGD", "sgd"), ("SignLaProp", "lion"),
            ("SFAdamW", "adamw"), ("MuonLaProp", "muon_keller"), ("LaProp", "adamw"),
        )
    )),
    ("prodigyopt", "prodigyopt", (("Prodigy", "adamw"),)),
    ("prodigyplus", "prodigy-plus-schedule-free", (("ProdigyPlusScheduleFree", "adamw"),)),
    ("dadaptation", "dadaptation", (
        ("DAdaptAdam", "adamw"), ("DAdaptAdaGrad", "adamw"), ("DAdaptAdan", "adamw"),
        ("DAdaptLion", "lion"), ("DAdaptSGD", "sgd"),
    )),
    ("bitsandbytes.optim", "bitsandbytes", (
        ("AdamW", "adamw"), ("AdamW8bit", "adamw"), ("Adam", "adamw"), ("Lion", "lion"),
        ("LAMB", "lamb"), ("LARS", "lars", {"lr": LR, "momentum": 0.9}),
        ("SGD", "sgd", {"lr": LR, "momentum": 0.9}), ("RMSprop", "adamw"), ("Adagrad", "adamw"),
        ("AdEMAMix", "adamw"),
    )),
    ("galore_torch", "galore-torch", (
        ("GaLoreAdamW", "adamw"), ("GaLoreAdamW", "adamw", {}, _GALORE),
        ("GaLoreAdafactor", "adafactor", {"relative_step": False}),
    )),
    ("apollo_torch", "apollo-torch", (
        ("APOLLOAdamW", "adamw"),
        ("APOLLOAdamW", "adamw", {}, _APOLLO | {"scale_type": "channel"}),
        ("APOLLOAdamW", "adamw", {}, _APOLLO | {"scale_type": "tensor"}),
    )),
    ("adam_atan2_pytorch", "adam-atan2-pytorch", (
        ("AdamAtan2", "adamw"), ("AdamAtan2", "adamw", AT_RATE),
        ("AdamAtan2", "adamw", {"decoupled_wd": True}),
        ("AdamAtan2", "adamw", AT_RATE | {"decoupled_wd": True}),
        ("AdoptAtan2", "adamw"), ("AdoptAtan2", "adamw", {"decoupled_wd": True}),
    )),
    ("adabelief_pytorch", "adabelief-pytorch", (
        ("AdaBelief", "adamw", {"print_change_log": False}),
        ("AdaBelief", "adamw", {"print_change_log": False, "rectify": False}),
        ("AdaBelief", "adamw", {"print_change_log": False, "rectify": False,
                                "weight_decouple": False}),
        ("AdaBelief", "adamw", {"print_change_log": False, "rectify": False,
                                "fixed_decay": True}),
    )),
    ("came_pytorch", "came-pytorch", (("CAME", "adafactor", AT_RATE), ("CAME", "adamw", AT_RATE))),
    ("grams", "grams-pytorch", (("Grams", "adamw"),)),
    ("grokadamw", "grokadamw", (("GrokAdamW", "adamw"),)),
    ("madgrad", "madgrad", (("MADGRAD", "adamw"), ("MirrorMADGRAD", "adamw"))),
    ("pytorch_ranger", "pytorch-ranger", (("Ranger", "adamw"),)),
)  # fmt: skip


_SGD_LIKE = frozenset({
    "accsgd", "aggmo", "asgd", "adai", "pid", "pnm", "qhm", "sgd", "sgdp", "sgdw", "tam",
    "schedulefreesgd", "scalableshampoo", "sgdsai",
})  # fmt: skip
_TRUST = {"lamb": "lamb", "lars": "lars", "adafactor": "adafactor"}
_SIGN = frozenset({"lion", "signsgd", "tiger", "emolynx", "emofact"})
_USES_MUON = {
    "muon": "muon_keller", "adamuon": "muon_kimi", "normuon": "muon_kimi", "adago": "muon_keller",
    "muonclip": "muon_keller",
}  # fmt: skip
_MATRIX = {
    "shampoo": "shampoo", "soap": "soap", "scion": "muon_spectral", "scionlight": "muon_spectral",
    **_USES_MUON,
}  # fmt: skip
_COUPLED = ("lion", "adan", "adabelief", "sgdp", "yogi", "laprop", "stableadamw", "tiger")
_FIXED = ("lion", "adan", "adabelief", "laprop")
# Made from a model, or whose steps want second derivatives, several processes or minutes.
_APART = frozenset({
    "adalomo", "adammini", "lomo", "lbfgs", "bsam", "adahessian", "sophiah", "demo", "lorarite",
    "distributedmuon", "alig", "ranger21", "kron", "spectralsphere",
})  # fmt: skip


def _list_pytorch_optimizer() -> Iterator[Configuration]:
    if not importlib.util.find_spec("pytorch_optimizer"):
        return
    library = importlib.import_module("pytorch_optimizer")
    for short in sorted(set(library.get_supported_optimizers()) - _APART):
        cls = library.load_optimizer(short)
        follows = (_SGD_LIKE & {short} and "sgd") or (_SIGN & {short} and "lion") or "adamw"
        follows = ({**_TRUST, **_MATRIX}).get(short, follows)
        in_groups = {"use_muon": True} if short in _USES_MUON else {}
        options: list[dict[str, Any]] = [{}]
        defaults = inspect.signature(cls.__init__).parameters
        decouple = defaults.get("weight_decouple")
        if decouple is not None and decouple.default is False:
            options.append({"weight_decouple": True})
        options += [{"weight_decouple": False}] * (short in _COUPLED)
        options += [{"fixed_decay": True}] * (short in _FIXED)
        for given in options:
            yield Configuration(
                "pytorch_optimizer", cls.__name__, follows, given, in_groups, "pytorch-optimizer"
            )


_TORCH_OPTIMIZER = {
    "A2GradExp": "sgd", "A2GradInc": "sgd", "A2GradUni": "sgd", "AccSGD": "sgd",
    "AdaBelief": "adamw", "AdaBound": "adamw", "AdaMod": "adamw", "Adafactor": "adafactor",
    "AdamP": "adamw", "AggMo": "sgd", "Apollo": "adamw", "DiffGrad": "adamw", "Lamb": "lamb",
    "LARS": "lars", "MADGRAD": "adamw", "NovoGrad": "adamw", "PID": "sgd", "QHAdam": "adamw",
    "QHM": "sgd", "RAdam": "adamw", "Ranger": "adamw", "RangerQH": "adamw", "RangerVA": "adamw",
    "SGDP": "sgd", "SGDW": "sgd", "SWATS": "adamw", "Shampoo": "shampoo", "Yogi": "adamw",
}  # fmt: skip


def _list_torch_optimizer() -> Iterator[Configuration]:
    for name, follows in _TORCH_OPTIMIZER.items():
        options: dict[str, Any] = {"lr": LR, "momentum": 0.9} if name in {"QHM", "LARS"} else {}
        if name == "Adafactor":
            options = {"relative_step": False}
        yield Configuration(
            "torch_optimizer", name, follows, options, distribution="torch-optimizer"
        )

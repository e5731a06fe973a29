"""Models, batches and losses that cannot be checked or parametrized."""

from collections.abc import Iterator
from random import Random

from .case import ODD_NAMES, ODD_NUMBERS, WrongInput

SOUND = {
    "build": """
def build(width):
    return nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.Linear(width, 4))
""",
    "batch": """
def batch():
    return torch.randn(16, 8), torch.randint(0, 4, (16,))
""",
    "loss": """
def loss(output, targets):
    return nn.functional.cross_entropy(output, targets)
""",
}
WRONG = {
    "build": (
        "build = 3",
        "def build(): return nn.Linear(8, 4)",
        "def build(width): return None",
        "def build(width): return nn.Linear",
        "def build(width): raise ValueError('no \\x1b[31m width')",
        "def build(width): raise SystemExit(0)",
        "def build(width): raise KeyboardInterrupt",
        "def build(width): return nn.Sequential(nn.Linear(8, 64), nn.Linear(64, 4))",
        "def build(width): return nn.Identity()",
        "def build(width): return nn.Sequential(nn.Linear(8, width // 64), nn.Linear(width, 4))",
        "def build(width): return nn.Linear(8, width * 4 // 3).half()",
        "def build(width): return nn.Sequential(nn.Linear(8, 4)).requires_grad_(False)",
        "def build(width): return nn.Sequential(nn.Linear(8, 4), nn.LazyLinear(4))",
        "def build(width): import no_such_package",
        "def build(width): return nn.Linear(8, 4, device='meta')",
        "async def build(width): return nn.Linear(8, 4)",
        "def build(width): print('x' * 100000); return nn.Linear(width, 4)",
        "class build(nn.Module): pass",
    ),
    "batch": (
        "batch = None",
        "def batch(): return None",
        "def batch(): return ()",
        "def batch(): return {}",
        "def batch(): return torch.randn(0, 8), torch.randint(0, 4, (0,))",
        "def batch(): return torch.randn(16, 7), torch.randint(0, 4, (16,))",
        "def batch(): return torch.randn(16, 8), torch.randint(0, 4, (15,))",
        "def batch(): return torch.randn(16, 8), torch.full((16,), 99)",
        "def batch(): return torch.randn(16, 8), torch.randn(16)",
        "def batch(): return torch.full((16, 8), float('nan')), torch.randint(0, 4, (16,))",
        "def batch(): return torch.zeros(16, 8), torch.zeros(16, dtype=torch.long)",
        "def batch(): return torch.randn(16, 8), torch.randint(0, 4, (16,)), 3",
        "def batch(): return {'input': torch.randn(16, 8)}",
        "def batch(): return 'text', 'text'",
        "def batch(): yield torch.randn(16, 8), torch.randint(0, 4, (16,))",
        "def batch(): raise StopIteration",
        "def batch(): return torch.randn(16, 8).double(), torch.randint(0, 4, (16,))",
        "def batch(): return [1, 2], [3, 4]",
        "def batch(a, b): return a, b",
    ),
    "loss": (
        "loss = 'mse'",
        "def loss(output): return output.sum()",
        "def loss(output, targets): return None",
        "def loss(output, targets): return 0.0",
        "def loss(output, targets): return output",
        "def loss(output, targets): return output.sum().detach()",
        "def loss(output, targets): return output.argmax()",
        "def loss(output, targets): return output.sum() * float('nan')",
        "def loss(output, targets): return output.sum() / 0",
        "def loss(output, targets): return torch.tensor(1.0, requires_grad=True)",
        "def loss(output, targets): return output.sum().to(torch.complex64)",
        "def loss(output, targets): raise RuntimeError('out of\\nluck')",
        "def loss(output, targets): return output.sum() * 1e30",
    ),
}  # fmt: skip
OPTIONS = ("--widths", "--base-width", "--lr", "--seeds", "--steps", "--scheme", "--optimizer")


def make_models(random: Random, count: int) -> Iterator[WrongInput]:
    """Draw a model, batch or loss that is wrong, or an odd option beside sound ones."""
    for _ in range(count):
        parts, extra = dict(SOUND), tuple[str, ...]()
        if random.random() < 0.75:
            part = random.choice(tuple(WRONG))
            parts[part] = random.choice(WRONG[part])
            kind = parts[part]
        else:
            option = random.choice(OPTIONS)
            pool = ODD_NAMES if option in ("--scheme", "--optimizer") else ODD_NUMBERS
            extra = (f"{option}={random.choice(pool)}",)
            kind = extra[0][:60]
        command = random.choice(("check", "check", "recipe"))
        text = "import torch\nfrom torch import nn\n" + "\n".join(parts.values()) + "\n"
        yield WrongInput(
            kind=f"{command}: {kind}",
            arguments=(command, "mine:build", "--batch", "mine:batch", *_ask(command), *extra),
            files={"mine.py": text.encode()},
        )


def _ask(command: str) -> tuple[str, ...]:
    if command == "check":
        return (
            "--loss", "mine:loss", "--widths", "16,32,64", "--seeds", "1", "--steps", "2",
        )  # fmt: skip
    return ("--width", "64", "--base-width", "16")

"""A convolutional network that knows nothing of parametrizations; cnn.toml names it."""

from torch import nn


def build(width: int, depth: int) -> nn.Module:
    """Return a network of this many channels for 8 x 8 images of ten classes."""
    layers: list[nn.Module] = [nn.Conv2d(1, width, 3, padding=1), nn.ReLU()]
    for _ in range(depth):
        layers += [
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))

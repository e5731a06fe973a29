"""Will the learning rate tuned on a small model still be right for the big one?"""

__version__ = "0.1.0"

"""What all tests share."""

import torch

# torch's default of one thread per core makes small models slower by an order of magnitude.
torch.set_num_threads(1)

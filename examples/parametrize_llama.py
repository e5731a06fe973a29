"""Parametrize a model of transformers: grouped-query attention, AdamW, a cosine schedule.

The learning rate was tuned at the base width. The model is not edited: the roles of its tensors are
read from one forward pass of the example batch.
"""

import torch
from transformers import LlamaConfig, LlamaForCausalLM

import lrtransfer as lt

BASE_WIDTH, WIDTH, STEPS, LR = 64, 256, 20, 2.0**-7


def build(width: int) -> LlamaForCausalLM:
    """Return the model at a width: the number of heads grows, their width stays."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=128,
            hidden_size=width,
            intermediate_size=3 * width,
            num_hidden_layers=2,
            num_attention_heads=width // 16,
            num_key_value_heads=width // 32,
        )
    )


def main() -> None:
    """Train a few steps at the target width."""
    tokens = torch.randint(0, 128, (4, 32), generator=torch.Generator().manual_seed(0))
    batch = {"input_ids": tokens, "labels": tokens}

    recipe = lt.parametrize(build, width=WIDTH, base_width=BASE_WIDTH, example=batch)
    model = recipe.initialize(build(WIDTH), seed=0)
    groups = recipe.param_groups(model, lr=LR, weight_decay=0.1, eps=1e-8)
    optimizer = torch.optim.AdamW(groups, lr=LR)
    lt.keep_ratios(optimizer)  # eta_min would set all groups to one learning rate
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS, eta_min=LR / 10)

    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        recipe.verify(model, optimizer)  # the ratios still hold
        schedule.step()
        losses.append(loss.item())
    roles = {tensor.name: tensor.role.value for tensor in recipe.tensors}
    print(recipe, f"loss {losses[0]:.2f} -> {losses[-1]:.2f}")
    assert roles["model.layers.0.self_attn.k_proj.weight"] == "hidden"
    assert roles["lm_head.weight"] == "output"
    assert losses[-1] < losses[0] - 1


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()

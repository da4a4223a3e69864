"""Scores of pruning from their papers' formulas, in PyTorch and float64: the outside truth for the goldens in `testdata/prune`.

    python benches/peers/prune_scores.py MODEL_FOLDER --length N --tokens ID,ID,..

The network is stock transformers; hooks keep what enters and leaves its decoder layers, norms and linear layers. Nothing here was
taken from the program that is checked.
"""

import argparse
import json
import math

import torch
from transformers import AutoModelForCausalLM

COSINE = torch.nn.functional.cosine_similarity


class Kept:
    """What one pass over `[sequence, position]` token ids leaves behind."""

    def __init__(self, folder, ids):
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager").eval()
        self.config = model.config
        self.stream, self.normed, self.neurons, self.mixed = [], [], [], []
        blocks = model.model.layers

        def enters(store):
            return lambda _, args, kwargs: store.append((args[0] if args else kwargs["hidden_states"]).detach())

        def leaves(store):
            return lambda _, args, out: store.append((out[0] if isinstance(out, tuple) else out).detach())

        for block in blocks:
            block.register_forward_pre_hook(enters(self.stream), with_kwargs=True)
            block.input_layernorm.register_forward_hook(leaves(self.normed))
            block.post_attention_layernorm.register_forward_hook(leaves(self.normed))
            block.mlp.down_proj.register_forward_pre_hook(enters(self.neurons), with_kwargs=True)
            block.self_attn.o_proj.register_forward_pre_hook(enters(self.mixed), with_kwargs=True)
        blocks[-1].register_forward_hook(leaves(self.stream))
        model.model.norm.register_forward_hook(leaves(self.normed))
        with torch.no_grad():
            model(input_ids=ids)


def block_influence(kept):
    """1 - mean cosine of what enters and leaves a layer (Men et al. 2024)."""
    pairs = zip(kept.stream, kept.stream[1:])
    return [1.0 - COSINE(before, after, dim=-1, eps=0.0).mean().item() for before, after in pairs]


def angular_distance(kept, count, positions):
    """Mean of arccos(cosine) / pi over runs of `count` layers (Gromov et al. 2024)."""
    taken = [state[:, -1:] if positions == "last" else state for state in kept.stream]
    pairs = zip(taken, taken[count:])
    return [(torch.arccos(COSINE(a, b, dim=-1, eps=0.0).clamp(-1, 1)) / math.pi).mean().item() for a, b in pairs]


def summed_up(values, over_tokens, over_sequences):
    """`[sequence, position, channel]` to `[channel]`, tokens first."""

    def along(x, how, dim):
        return x.abs().mean(dim) if how == "mean-absolute" else x.pow(2).mean(dim).sqrt()

    return along(along(values, over_tokens, 1), over_sequences, 0)


def activations(kept, over_tokens, over_sequences):
    """Channels after norms, neurons before the down projection, norms of groups of heads (after Muralidharan et al. 2024)."""
    how = (over_tokens, over_sequences)
    groups = kept.config.num_key_value_heads
    by_group = [mixed.unflatten(-1, (groups, -1)).norm(dim=-1) for mixed in kept.mixed]
    return {
        "hidden": torch.stack([summed_up(normed, *how) for normed in kept.normed]).mean(0).tolist(),
        "ffn": [summed_up(neurons, *how).tolist() for neurons in kept.neurons],
        "heads": [summed_up(norms, *how).tolist() for norms in by_group],
    }


def magnitudes(folder):
    """Mean |w| of all the weights that a channel, neuron or group is made of."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64)
    groups = model.config.num_key_value_heads
    parts = [model.get_input_embeddings().weight.abs()]
    if not model.config.tie_word_embeddings:
        parts.append(model.lm_head.weight.abs())
    ffn, heads = [], []
    for block in model.model.layers:
        reads = lambda *layers: [layer.weight.detach().abs() for layer in layers]
        q, k, v, o = reads(block.self_attn.q_proj, block.self_attn.k_proj, block.self_attn.v_proj, block.self_attn.o_proj)
        gate, up, down = reads(block.mlp.gate_proj, block.mlp.up_proj, block.mlp.down_proj)
        parts += [q, k, v, o.T, gate, up, down.T]
        ffn.append(torch.cat([gate, up, down.T], 1).mean(1).tolist())
        by_group = torch.cat([w.unflatten(0, (groups, -1)).flatten(1) for w in (q, k, v, o.T)], 1)
        heads.append(by_group.mean(1).tolist())
    return {"hidden": torch.cat([part.detach() for part in parts]).mean(0).tolist(), "ffn": ffn, "heads": heads}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--length", type=int, required=True)
    parser.add_argument("--tokens", required=True)
    given = parser.parse_args()
    kept = Kept(given.folder, torch.tensor([int(token) for token in given.tokens.split(",")]).reshape(-1, given.length))
    print(json.dumps({"block_influence": block_influence(kept), "magnitudes": magnitudes(given.folder),
                      "angular_distance": angular_distance(kept, 1, "last"),
                      "activations": activations(kept, "mean-absolute", "mean-square")}, indent=1))


if __name__ == "__main__":
    main()

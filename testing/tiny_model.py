"""A llama model with random weights: loading, template, grammar and sampling are real, without a download."""

from pathlib import Path

import gguf
import numpy as np

LAYERS, DIM, HEADS, HIDDEN, CONTEXT = 2, 64, 4, 128, 4096
# ChatML, which the Qwen models use
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant\n"
)
CONTROL, NORMAL, BYTE = 3, 1, 6


def write_tiny_model(path: Path, template: str | None = TEMPLATE) -> None:
    """Writes the model, always the same bytes. A character is about one token."""
    tokens = ["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"]
    types = [CONTROL] * len(tokens)
    tokens += [f"<0x{byte:02X}>" for byte in range(256)]
    types += [BYTE] * 256
    letters = [chr(code) for code in range(33, 127)] + ["\u2581"]
    tokens += letters
    types += [NORMAL] * len(letters)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(DIM)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(DIM // HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types(types)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(4)
    writer.add_unk_token_id(0)
    if template:
        writer.add_chat_template(template)
    random = np.random.default_rng(0)

    def weights(name: str, *shape: int) -> None:
        writer.add_tensor(name, random.normal(0, 0.1, shape).astype(np.float32))

    weights("token_embd.weight", len(tokens), DIM)
    weights("output.weight", len(tokens), DIM)
    writer.add_tensor("output_norm.weight", np.ones(DIM, np.float32))
    for layer in range(LAYERS):
        for norm in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{norm}.weight", np.ones(DIM, np.float32))
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            weights(f"blk.{layer}.{part}.weight", DIM, DIM)
        weights(f"blk.{layer}.ffn_gate.weight", HIDDEN, DIM)
        weights(f"blk.{layer}.ffn_up.weight", HIDDEN, DIM)
        weights(f"blk.{layer}.ffn_down.weight", DIM, HIDDEN)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

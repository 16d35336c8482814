"""Shows that families_check.py fails when emelex ignores something that a model's file says.

    mutations_check.py BUILD_FOLDER [WORD…]

Each mutation is a line of the source in which one flag of the mathematics is passed over. One after another they are put into the
working tree, built, checked with a case that has the flag, and taken out again; each must make that check fail. With words only the
mutations whose descriptions have one of them. About half a minute each; the tree must have no changes in the files.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODELS = "src/models/"
ROPE = MODELS + "rope_config.cpp"
CONFIG = MODELS + "model_config.cpp"
GATED = "src/kernels/cpu/gated.cpp"

# what is ignored, the case that must fail, the file, what stands there, what stands there instead
MUTATIONS = [
    ("window", "mistral, long", CONFIG, 'return keys.size_or_none("attention.sliding_window"', 'return 0 * keys.size_or_none("attention.sliding_window"'),
    ("which layers have the window", "gemma2", MODELS + "model_config.h", "return sliding[static_cast<size_t>(i)] ?",
     "return sliding[static_cast<size_t>(i)] || i >= 0 ?"),
    ("soft cap of scores", "gemma2", MODELS + "gemma.cpp", 'soft_cap(keys, "attn_logit_softcapping", 50.0)',
     '0.0F * soft_cap(keys, "attn_logit_softcapping", 50.0)'),
    ("soft cap of logits", "gemma2", MODELS + "gemma.cpp", 'soft_cap(keys, "final_logit_softcapping", logit_cap)',
     '0.0F * soft_cap(keys, "final_logit_softcapping", logit_cap)'),
    ("norms' offset of one", "gemma2", "src/weights/safetensors/safetensors_reader.cpp", "value += 1.0F", "value += 0.0F"),
    ("Gemma's scale of embeddings", "gemma2", MODELS + "gemma.cpp", "scales.embedding = std::sqrt", "scales.embedding = 0.0F + 0.125F * std::sqrt"),
    ("GELU", "gemma2", MODELS + "gemma.cpp", "Activation::gelu", "Activation::silu"),
    ("scale of scores", "granite", MODELS + "granite.cpp", 'config.attention.scale = static_cast<float>(*scale)',
     'config.attention.scale += 0.0F * static_cast<float>(*scale)'),
    ("Granite's scale of embeddings", "granite", MODELS + "granite.cpp", 'keys.positive("embedding_scale"', 'keys.positive("other_scale"'),
    ("residual scale", "granite", MODELS + "granite.cpp", 'keys.positive("residual_scale"', 'keys.positive("other_scale"'),
    ("logit scale", "granite", MODELS + "decoder.cpp", "[0], scales_.logits)", "[0], 1.0F)"),
    ("logit scale of Command R", "command r", MODELS + "decoder.cpp", "[0], scales_.logits)", "[0], 1.0F)"),
    ("interleaved pairs", "command r", ROPE, "rope_.interleaved = rope_pairs", 'rope_.interleaved = weights.find("nothing") != nullptr && rope_pairs'),
    ("partial RoPE", "phi2", ROPE, "return static_cast<int>(dim);", "return head_dim;"),
    ("linear scaling", "llama, linear", ROPE, 'scaling == "none" ? 1.0 : said', 'scaling != "never" ? 1.0 : said'),
    ("Llama 3's scaling", "llama 3.1", ROPE, "has_divisors ? kDivisorsKey : nullptr", "!has_divisors ? kDivisorsKey : nullptr"),
    ("YaRN", "llama, yarn", ROPE, 'if (scaling == "yarn") return yarn(base);', 'if (scaling == "yarn") return plain(base);'),
    ("YaRN's scale", "llama, yarn", ROPE, 'keys_.positive("rope.scaling.yarn_attn_factor", scale)',
     '0.0 * keys_.positive("rope.scaling.yarn_attn_factor", scale) + 1.0'),
    ("YaRN's bounds", "gpt-oss", ROPE, "if (weights_.facts().yarn_whole_bounds)", "if (weights_.facts().yarn_whole_bounds || dim_ > 0)"),
    ("LongRoPE's longer list", "phi3, long", ROPE, "long_after = first_training;", "long_after = 0 * first_training;"),
    ("LongRoPE's border", "phi3, long", "src/engine/runner.cpp", "cache_->trim(sequence, 0);\n  return append(sequence, tokens);",
     "return append(sequence, tokens.last(1));"),
    ("LongRoPE's scale", "phi3, short", ROPE, "rope_.scale = static_cast<float>(attention_factor())",
     "rope_.scale = static_cast<float>(1.0 + 0.0 * attention_factor())"),
    ("the other base of layers with a window", "gemma3", CONFIG, "local.rope = read_local_rope(", "(void)read_local_rope("),
    ("layers without RoPE", "smollm3", MODELS + "smollm3.cpp", "turned[static_cast<size_t>(i)] ?", "turned[static_cast<size_t>(i)] || i >= 0 ?"),
    ("norms of queries", "qwen3", "src/layers/attention.cpp", "if (parts_.q_norm)", "if (parts_.q_norm && batch.tokens() < 0)"),
    ("norms of keys", "olmo2", "src/layers/attention.cpp", "if (parts_.k_norm)", "if (parts_.k_norm && batch.tokens() < 0)"),
    ("biases", "qwen2", MODELS + "layer_builder.cpp", "return weights_->find(full) == nullptr ?", "return weights_->find(full) == nullptr || rows > 0 ?"),
    ("how experts are weighed", "qwen3 moe", "src/kernels/cpu/routing.cpp", "if (!config.normalized)", "if (config.normalized)"),
    ("how many experts are used", "mixtral", CONFIG, 'keys.require_layer_size("expert_used_count"',
     '1 + 0 * keys.require_layer_size("expert_used_count"'),
    ("sinks", "gpt-oss", MODELS + "layer_builder.cpp", "read_rows(0, values);\n  return values;",
     "read_rows(0, values);\n  return std::vector<float>(values.size(), -100.0F);"),
    ("biases of experts", "gpt-oss", MODELS + "mixture_builder.cpp", "weights_->find(bias) == nullptr ?", "weights_->find(bias) == nullptr || n > 0 ?"),
    ("the gate's clamp", "gpt-oss", GATED, "std::min(gate[at + i], kGateClamp)", "std::min(gate[at + i], 100.0F * kGateClamp)"),
    ("the other's clamp", "gpt-oss", GATED, "std::clamp(up[at + i], -kGateClamp, kGateClamp)", "std::clamp(up[at + i], -99.0F, 99.0F)"),
    ("the gate's steepness", "gpt-oss", GATED, "g[i] = kGateSteepness *", "g[i] = 1.0F *"),
    ("which of an expert's matrices is the gate", "gpt-oss", "src/tools/quantize/mlx_modules.cpp", 'half == 0 ? ".ffn_gate_exps."',
     'half == 1 ? ".ffn_gate_exps."'),
    ("one more in the gate", "gpt-oss", GATED, "+ 1.0F) / kGateSteepness", "+ 0.0F) / kGateSteepness"),
]  # fmt: skip


def run(build, case):
    """Whether emelex as it stands builds, and whether the case's check passes."""
    made = subprocess.run(["cmake", "--build", build, "--target", "logits_tool", "emelex"], cwd=ROOT, capture_output=True, text=True)
    if made.returncode != 0:
        return f"does not build: {made.stdout[-400:]}"
    command = [ROOT / ".venv-peers/bin/python", ROOT / "tests/differential/families_check.py", build / "tests/differential/logits_tool",
               build / "emelex", "1", case]  # fmt: skip
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return "passes" if found.returncode == 0 else "fails" if "FAILED" in found.stdout else f"breaks: {found.stderr[-400:]}"


def main():
    build = Path(sys.argv[1]).resolve()
    chosen = [m for m in MUTATIONS if len(sys.argv) < 3 or any(word in m[0] for word in sys.argv[2:])]
    unseen = 0
    for what, case, file, old, new in chosen:
        path = ROOT / file
        text = path.read_text()
        if text.count(old) != 1:
            raise SystemExit(f"{file} has {text.count(old)} times: {old}")
        path.write_text(text.replace(old, new))
        try:
            outcome = run(build, case)
        finally:
            path.write_text(text)
        print(f"{what:45} {case:15} {outcome}", flush=True)
        unseen += outcome != "fails"
    print(f"{len(chosen) - unseen} of {len(chosen)} are seen")
    return 1 if unseen else 0


if __name__ == "__main__":
    sys.exit(main())

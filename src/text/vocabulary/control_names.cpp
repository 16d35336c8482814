#include "text/vocabulary/control_names.h"

#include <algorithm>
#include <array>

namespace emelex {
namespace {

constexpr std::array<std::string_view, 10> kEnds = {
    "<|im_end|>",      "<|eot_id|>", "<|eom_id|>",    "<|end|>",    "<end_of_turn>",
    "<|end_of_text|>", "<|eot|>",    "<|endoftext|>", "<|return|>", "<｜end▁of▁sentence｜>",
};

// Other ends of turns and of tools' calls, and the marks of fill-in-the-middle, in the spellings of the model families.
constexpr std::array<std::string_view, 45> kOthers = {
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "</s>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<eos>",
    "<turn|>",
    "<|tool_response>",
    "<end_of_utterance>",
    "[e~[",
    "<|fim_prefix|>",
    "<fim-prefix>",
    "<fim_prefix>",
    "<｜fim▁begin｜>",
    "<PRE>",
    "▁<PRE>",
    "<|code_prefix|>",
    "<|prefix|>",
    "<|fim_suffix|>",
    "<fim-suffix>",
    "<fim_suffix>",
    "<｜fim▁hole｜>",
    "<SUF>",
    "▁<SUF>",
    "<|code_suffix|>",
    "<|suffix|>",
    "<|fim_middle|>",
    "<fim-middle>",
    "<fim_middle>",
    "<｜fim▁end｜>",
    "<MID>",
    "▁<MID>",
    "<|code_middle|>",
    "<|middle|>",
    "<|fim_pad|>",
    "<fim-pad>",
    "<fim_pad>",
    "<|fim_repo|>",
    "<|repo_name|>",
    "<fim-repo>",
    "<reponame>",
    "<|file_sep|>",
};

template <class Names>
bool is_among(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

bool ends_turn(std::string_view name) { return is_among(kEnds, name); }

bool is_control_name(std::string_view name) { return ends_turn(name) || is_among(kOthers, name); }

}  // namespace emelex

#include "text/vocabulary/control_names.h"

#include <algorithm>
#include <array>

namespace emelex {
namespace {

// Names that end a turn in one family of models or another; llama.cpp's list (llama-vocab.cpp), and "<|eot|>".
constexpr std::array<std::string_view, 31> kEnds = {
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end|>",
    "<end_of_turn>",
    "<|end_of_text|>",
    "<|eot|>",
    "<|endoftext|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<｜end▁of▁sentence｜>",
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
    // Ends of a file in fill-in-the-middle.
    "<|fim_pad|>",
    "<fim-pad>",
    "<fim_pad>",
    "<|fim_repo|>",
    "<|repo_name|>",
    "<fim-repo>",
    "<reponame>",
    "<|file_sep|>",
};

// Marks around reasoning and messages within a turn. A reader needs them to tell reasoning from the answer.
constexpr std::array<std::string_view, 22> kReasoning = {
    "[THINK]",
    "[/THINK]",
    "<think>",
    "</think>",
    "<thinking>",
    "</thinking>",
    "<|channel|>",
    "<|message|>",
    "<|start|>",
    "<|end|>",
    "<|constrain|>",
    "<|channel>",
    "<channel|>",
    "<|think|>",
    "<|/think|>",
    "<seed:think>",
    "</seed:think>",
    "<|START_THINKING|>",
    "<|END_THINKING|>",
    "<|begin_of_thought|>",
    "<|end_of_thought|>",
    "<|thinking|>",
};

// Other names of control tokens: the marks of fill-in-the-middle in the spellings of the model families.
constexpr std::array<std::string_view, 24> kOthers = {
    "<|fim_prefix|>",  "<fim-prefix>",  "<fim_prefix>",    "<｜fim▁begin｜>", "<PRE>",           "▁<PRE>",
    "<|code_prefix|>", "<|prefix|>",    "<|fim_suffix|>",  "<fim-suffix>",    "<fim_suffix>",    "<｜fim▁hole｜>",
    "<SUF>",           "▁<SUF>",        "<|code_suffix|>", "<|suffix|>",      "<|fim_middle|>",  "<fim-middle>",
    "<fim_middle>",    "<｜fim▁end｜>", "<MID>",           "▁<MID>",          "<|code_middle|>", "<|middle|>",
};

template <class Names>
bool is_among(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

bool ends_turn(std::string_view name) { return is_among(kEnds, name); }

bool marks_reasoning(std::string_view name) { return is_among(kReasoning, name); }

bool is_control_name(std::string_view name) { return ends_turn(name) || is_among(kOthers, name); }

}  // namespace emelex

#include "text/pipeline/decoder.h"

#include <utility>

#include "text/pipeline/growth.h"
#include "text/pipeline/normalizer.h"
#include "text/vocabulary/vocabulary.h"

namespace emelex {
namespace {

void strip(std::string& text, std::string_view what, size_t left, size_t right) {
  if (what.empty()) return;
  for (; left > 0 && text.starts_with(what); --left) text.erase(0, what.size());
  for (; right > 0 && text.ends_with(what); --right) text.resize(text.size() - what.size());
}

void clean_up(std::string& text) {
  constexpr std::pair<std::string_view, std::string_view> kRules[] = {
      {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},    {" n't", "n't"},
      {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
  };
  for (const auto& [from, to] : kRules) text = replaced(std::move(text), from, to);
}

void apply(const Decoder::Step& step, bool is_first, std::string& text) {
  using Kind = Decoder::Step::Kind;
  switch (step.kind) {
    case Kind::byte_level: {
      std::string bytes;
      if (append_byte_level(text, bytes)) text = std::move(bytes);
      break;
    }
    case Kind::byte_fallback:
      if (const int byte = byte_of_name(text); byte >= 0) text.assign(1, static_cast<char>(byte));
      break;
    case Kind::replace:
      text = replaced(std::move(text), step.from, step.to);
      break;
    case Kind::strip:
      strip(text, step.from, step.left, step.right);
      break;
    case Kind::word_piece:
      if (is_first) break;
      if (text.starts_with(step.from)) {
        text.erase(0, step.from.size());
      } else {
        text.insert(0, 1, ' ');
      }
      break;
    case Kind::clean_up:
      clean_up(text);
      break;
    case Kind::space_before:
      if (!is_first) text.insert(0, 1, ' ');
      break;
  }
}

}  // namespace

std::string Decoder::decode(std::string_view name, bool is_first) const {
  std::string text(name);
  for (const Step& step : steps_) {
    apply(step, is_first, text);
    check_growth(name.size(), text.size());
  }
  const bool loses_one = first_ == First::one_space || first_ == First::one_space_each;
  if (is_first && loses_one && text.starts_with(' ')) text.erase(0, 1);
  if (is_first && first_ == First::all_spaces) text.erase(0, text.find_first_not_of(' '));
  return text;
}

}  // namespace emelex

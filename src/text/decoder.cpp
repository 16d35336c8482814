#include "text/decoder.h"

#include <utility>

#include "text/normalizer.h"
#include "text/vocabulary.h"

namespace emelex {
namespace {

void strip(std::string& text, std::string_view what, size_t left, size_t right) {
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

void apply(const Decoder::Step& step, std::string& text) {
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
      if (text.starts_with(step.from)) {
        text.erase(0, step.from.size());
      } else {
        text.insert(0, " ");
      }
      break;
    case Kind::clean_up:
      clean_up(text);
      break;
    case Kind::space_before:
      text.insert(0, " ");
      break;
  }
}

}  // namespace

std::string Decoder::decode(std::string_view name) const {
  std::string text(name);
  for (const Step& step : steps_) apply(step, text);
  return text;
}

void Decoder::trim_first(std::string& text) const {
  if (first_ == First::one_space && text.starts_with(' ')) text.erase(0, 1);
  if (first_ == First::all_spaces) text.erase(0, text.find_first_not_of(' '));
}

}  // namespace emelex

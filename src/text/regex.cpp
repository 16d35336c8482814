#include "text/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <string>

#include "base/strings.h"
#include "emelex/error.h"

namespace emelex {
namespace {

constexpr std::string_view kWhiteSpace =
    R"(\t-\r\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";

// Bounds on backtracking, so that no text can make a match run away: far more than any pattern here needs for a word.
constexpr uint32_t kMatchLimit = 1U << 30U;
constexpr uint32_t kHeapLimitKiB = 1U << 20U;

// Spells out \s and \S. `\S` inside brackets has no spelling; no tokenizer uses it.
std::string spell_out_spaces(std::string_view pattern) {
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      const char next = pattern[++i];
      if (next == 's') {
        out += in_class ? std::string(kWhiteSpace) : str_cat('[', kWhiteSpace, ']');
      } else if (next == 'S' && !in_class) {
        out += str_cat("[^", kWhiteSpace, ']');
      } else {
        out.append({c, next});
      }
      continue;
    }
    if (c == '[') in_class = true;
    if (c == ']') in_class = false;
    out.push_back(c);
  }
  return out;
}

std::string message_of(int code) {
  PCRE2_UCHAR text[256];
  if (pcre2_get_error_message(code, text, sizeof text) < 0) return str_cat("error ", code);
  return reinterpret_cast<const char*>(text);
}

struct MatchDataDeleter {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};
using MatchData = std::unique_ptr<pcre2_match_data, MatchDataDeleter>;

}  // namespace

struct Regex::Compiled {
  pcre2_code* code = nullptr;
  pcre2_match_context* limits = nullptr;
  bool jit = false;

  ~Compiled() {
    pcre2_match_context_free(limits);
    pcre2_code_free(code);
  }

  int match(std::string_view text, size_t start, pcre2_match_data* data) const {
    const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
    if (jit) {
      const int found = pcre2_jit_match(code, subject, text.size(), start, 0, data, limits);
      // Compiled code has a small fixed stack; the interpreter takes over for what needs more.
      if (found != PCRE2_ERROR_JIT_STACKLIMIT) return found;
    }
    return pcre2_match(code, subject, text.size(), start, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data, limits);
  }
};

Regex::Regex(std::string_view pattern) : compiled_(std::make_unique<Compiled>()) {
  const std::string spelled = spell_out_spaces(pattern);
  int code = 0;
  PCRE2_SIZE offset = 0;
  compiled_->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(spelled.data()), spelled.size(), PCRE2_UTF | PCRE2_UCP,
                                  &code, &offset, nullptr);
  if (compiled_->code == nullptr) {
    throw Error(ErrorCode::internal, str_cat("[tokenizer] expected a regular expression, got ", message_of(code),
                                             " at offset ", offset, " of ", spelled));
  }
  compiled_->limits = pcre2_match_context_create(nullptr);
  if (compiled_->limits == nullptr) throw Error(ErrorCode::out_of_memory, "[tokenizer] no memory for a regex");
  pcre2_set_match_limit(compiled_->limits, kMatchLimit);
  pcre2_set_heap_limit(compiled_->limits, kHeapLimitKiB);
  // Where code can't be generated (hardened systems), the interpreter does the same, slower.
  compiled_->jit = pcre2_jit_compile(compiled_->code, PCRE2_JIT_COMPLETE) == 0;
}

Regex::~Regex() = default;

void Regex::split(std::string_view text, std::vector<std::string_view>& pieces) const {
  const MatchData data(pcre2_match_data_create(1, nullptr));
  if (!data) throw Error(ErrorCode::out_of_memory, "[tokenizer] no memory for a regex match");
  const PCRE2_SIZE* range = pcre2_get_ovector_pointer(data.get());
  size_t position = 0;
  while (position < text.size()) {
    const int found = compiled_->match(text, position, data.get());
    if (found == PCRE2_ERROR_NOMATCH) break;
    if (found < 0) throw Error(ErrorCode::internal, str_cat("[tokenizer] the regex failed: ", message_of(found)));
    const size_t begin = range[0];
    const size_t end = range[1];
    if (end <= position) throw Error(ErrorCode::internal, "[tokenizer] the regex matched nothing");
    if (begin > position) pieces.push_back(text.substr(position, begin - position));
    pieces.push_back(text.substr(begin, end - begin));
    position = end;
  }
  if (position < text.size()) pieces.push_back(text.substr(position));
}

}  // namespace emelex

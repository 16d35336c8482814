#include "text/regex/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <string>

#include "base/strings.h"
#include "emelex/error.h"
#include "text/pipeline/growth.h"
#include "text/regex/regex_syntax.h"
#include "text/unicode/utf8.h"

namespace emelex {
namespace {

// Bounds on backtracking, so that no text can make a match run away: far more than any pattern here needs for a word.
// A file's pattern gets less, since it may have been written to be slow.
constexpr uint32_t kMatchLimit = 1U << 30U;
constexpr uint32_t kFileMatchLimit = 1U << 22U;
constexpr uint32_t kHeapLimitKiB = 1U << 20U;
constexpr size_t kLongestPattern = 1U << 16U;

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
  From from = From::emelex;

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

  [[noreturn]] void fail(int found) const {
    throw Error(
        from == From::file ? ErrorCode::unsupported : ErrorCode::internal,
        str_cat("[tokenizer] expected a regular expression to match within its bounds, got: ", message_of(found)));
  }
};

Regex::Regex(std::string_view pattern, From from, std::string_view source) : compiled_(std::make_unique<Compiled>()) {
  const auto refuse = [&](std::string_view why) {
    throw Error(from == From::file ? ErrorCode::unsupported : ErrorCode::internal,
                str_cat("[tokenizer] expected a regular expression that emelex can use, got ", quote_bytes(pattern),
                        " (", why, ")", source.empty() ? "" : " in ", source));
  };
  if (pattern.size() > kLongestPattern) refuse("too long");
  const auto translated = translate_regex(pattern);
  if (!translated) refuse("classes within classes");
  // In Oniguruma's syntax ^ and $ are about lines.
  const uint32_t options =
      PCRE2_UTF | PCRE2_UCP | (from == From::file ? PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C : 0U);
  int code = 0;
  PCRE2_SIZE offset = 0;
  compiled_->from = from;
  compiled_->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated->data()), translated->size(), options, &code,
                                  &offset, nullptr);
  if (compiled_->code == nullptr) refuse(message_of(code));
  compiled_->limits = pcre2_match_context_create(nullptr);
  if (compiled_->limits == nullptr) throw Error(ErrorCode::out_of_memory, "[tokenizer] no memory for a regex");
  pcre2_set_match_limit(compiled_->limits, from == From::file ? kFileMatchLimit : kMatchLimit);
  pcre2_set_heap_limit(compiled_->limits, kHeapLimitKiB);
  // Where code can't be generated (hardened systems), the interpreter does the same, slower.
  compiled_->jit = pcre2_jit_compile(compiled_->code, PCRE2_JIT_COMPLETE) == 0;
}

Regex::~Regex() = default;

template <class Visit>
void Regex::visit(std::string_view text, const Visit& visit) const {
  const MatchData data(pcre2_match_data_create(1, nullptr));
  if (!data) throw Error(ErrorCode::out_of_memory, "[tokenizer] no memory for a regex match");
  const PCRE2_SIZE* range = pcre2_get_ovector_pointer(data.get());
  size_t done = 0;      // up to here the text was given out
  size_t position = 0;  // from here on is searched
  bool matched = false;
  while (position < text.size()) {
    const int found = compiled_->match(text, position, data.get());
    if (found == PCRE2_ERROR_NOMATCH) break;
    if (found < 0) compiled_->fail(found);
    const size_t begin = range[0];
    const size_t end = range[1];
    if (begin > end || begin < done || end > text.size()) compiled_->fail(PCRE2_ERROR_BADOFFSET);
    const bool is_empty = begin == end;
    if (is_empty && (begin >= text.size() || (matched && begin == done))) {
      // Nothing, right after a match: not another one.
      if (begin >= text.size()) break;
      position = begin + utf8_at(text, begin).length;
      continue;
    }
    if (begin > done) visit(text.substr(done, begin - done), false);
    visit(text.substr(begin, end - begin), true);
    matched = true;
    done = end;
    position = is_empty ? end + utf8_at(text, end).length : end;
  }
  if (done < text.size()) visit(text.substr(done), false);
}

void Regex::split(std::string_view text, std::vector<std::string_view>& pieces) const {
  visit(text, [&](std::string_view piece, bool /*is_match*/) {
    if (!piece.empty()) pieces.push_back(piece);
  });
}

void Regex::find_parts(std::string_view text, std::vector<Part>& parts) const {
  visit(text, [&](std::string_view piece, bool is_match) { parts.push_back({piece, is_match}); });
}

std::string Regex::replace(std::string_view text, std::string_view to) const {
  std::string out;
  visit(text, [&](std::string_view piece, bool is_match) {
    out += is_match ? to : piece;
    check_growth(text.size(), out.size());
  });
  return out;
}

}  // namespace emelex

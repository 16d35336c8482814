#include "text/unicode/characters.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <vector>

#include "base/strings.h"
#include "emelex/error.h"
#include "text/unicode/utf8.h"

namespace emelex {
namespace {

utf8proc_category_t category_of(char32_t c) {
  return c > 0x10FFFF ? UTF8PROC_CATEGORY_CN : utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

int combining_class(char32_t c) { return utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->combining_class; }

// utf8proc takes quadratic time to order a run of combining marks, unless it is in order already. Marks of different
// classes may trade places without any normal form changing, so a long run is put in order first.
constexpr size_t kLongRun = 32;

class MarkSorter {
 public:
  explicit MarkSorter(std::string_view text) : text_(text) {}

  // The text with long runs in order; only if there is one.
  const std::string* sort() {
    size_t run = 0;  // where the marks of now began
    size_t copied = 0;
    for (size_t position = 0; position < text_.size();) {
      const Utf8Char character = utf8_at(text_, position);
      const int order = character.code_point < 0x300 ? 0 : combining_class(character.code_point);
      if (order == 0) {
        end_run(run, copied);
        run = position + character.length;
      } else {
        marks_.push_back({order, position, character.length});
      }
      position += character.length;
    }
    end_run(run, copied);
    if (copied == 0) return nullptr;
    sorted_.append(text_.substr(copied));
    return &sorted_;
  }

 private:
  struct Mark {
    int order;
    size_t begin;
    size_t length;
  };

  void end_run(size_t run, size_t& copied) {
    if (marks_.size() > kLongRun) {
      std::stable_sort(marks_.begin(), marks_.end(), [](const Mark& a, const Mark& b) { return a.order < b.order; });
      sorted_.append(text_.substr(copied, run - copied));
      size_t bytes = 0;
      for (const Mark& mark : marks_) {
        sorted_.append(text_.substr(mark.begin, mark.length));
        bytes += mark.length;
      }
      copied = run + bytes;
    }
    marks_.clear();
  }

  std::string_view text_;
  std::string sorted_;
  std::vector<Mark> marks_;
};

utf8proc_option_t options_of(NormalizationForm form) {
  switch (form) {
    case NormalizationForm::nfc:
      return static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    case NormalizationForm::nfd:
      return static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
    case NormalizationForm::nfkc:
      return static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT);
    case NormalizationForm::nfkd:
      return static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT);
  }
  return UTF8PROC_STABLE;
}

// One stretch of valid UTF-8.
std::string normalized_stretch(std::string_view text, NormalizationForm form) {
  MarkSorter sorter(text);
  if (const std::string* sorted = sorter.sort()) text = *sorted;
  utf8proc_uint8_t* raw = nullptr;
  const utf8proc_ssize_t length = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                               static_cast<utf8proc_ssize_t>(text.size()), &raw, options_of(form));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> made(raw, &std::free);
  if (length < 0) {
    throw Error(ErrorCode::internal, str_cat("[tokenizer] normalization failed: ", utf8proc_errmsg(length)));
  }
  return std::string(reinterpret_cast<const char*>(made.get()), static_cast<size_t>(length));
}

}  // namespace

bool is_white_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= '\t' && c <= '\r');
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
         c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_punctuation(char32_t c) {
  if (c < 0x80)
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
  const auto category = category_of(c);
  return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

bool is_mark(char32_t c) {
  const auto category = category_of(c);
  return category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME;
}

bool is_nonspacing_mark(char32_t c) { return category_of(c) == UTF8PROC_CATEGORY_MN; }

bool is_other(char32_t c) { return category_of(c) >= UTF8PROC_CATEGORY_CC; }

bool is_word_character(char32_t c) {
  if (c < 0x80) return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  if (c == 0x200C || c == 0x200D) return true;  // joiners
  if ((c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) || (c >= 0x1F150 && c <= 0x1F169) ||
      (c >= 0x1F170 && c <= 0x1F189)) {
    return true;  // letters in circles and squares, alphabetic although symbols
  }
  const auto category = category_of(c);
  return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NL) || category == UTF8PROC_CATEGORY_PC;
}

bool is_han(char32_t c) {
  // BERT's list, as Hugging Face has it: 0x2B920 where 0x2B820 was meant.
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
         (c >= 0x2A700 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) || (c >= 0xF900 && c <= 0xFAFF) ||
         (c >= 0x2F800 && c <= 0x2FA1F);
}

void append_lower(std::string& out, char32_t c) {
  if (c == 0x130) {  // the one character whose lower case is two
    out += "i\u0307";
    return;
  }
  append_utf8(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
}

std::string normalized(std::string_view text, NormalizationForm form) {
  // Every character below is its own form, and none of them combines with what is before it.
  const char32_t first_changed = form == NormalizationForm::nfc ? 0x300 : 0xA0;
  std::string out;
  size_t run = 0;     // where what has to be looked at begins: a character, and those after it that may change
  bool open = false;  // whether such were found
  const auto end_run = [&](size_t end) {
    const std::string_view stretch = text.substr(run, end - run);
    if (open) {
      out += normalized_stretch(stretch, form);
    } else {
      out += stretch;
    }
    open = false;
  };
  for (size_t position = 0; position < text.size();) {
    const Utf8Char character = utf8_at(text, position);
    if (character.kind != Utf8Char::Kind::valid) {
      end_run(position);
      out += text.substr(position, character.length);
      run = position + character.length;
    } else if (character.code_point >= first_changed) {
      open = true;
    } else {
      end_run(position);
      run = position;
    }
    position += character.length;
  }
  end_run(text.size());
  return out;
}

}  // namespace emelex

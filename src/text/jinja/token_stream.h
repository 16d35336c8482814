#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/strings.h"
#include "text/jinja/lexer.h"
#include "text/jinja/limits.h"

namespace emelex::jinja {

// The parser's place in a template's tokens.
class TokenStream {
 public:
  explicit TokenStream(const Source& source) : source_(source), tokens_(lex(source)) {}

  const Token& current() const { return tokens_[position_]; }
  const Token& next() const { return tokens_[position_ + (position_ + 1 < tokens_.size() ? 1 : 0)]; }
  uint32_t offset() const { return current().offset; }

  Token take() {
    Token token = current();
    if (position_ + 1 < tokens_.size()) ++position_;
    return token;
  }

  bool at(TokenKind kind) const { return current().kind == kind; }
  bool at_symbol(std::string_view symbol) const { return at(TokenKind::symbol) && current().text == symbol; }
  bool at_name(std::string_view name) const { return at(TokenKind::name) && current().text == name; }

  bool skip_symbol(std::string_view symbol) { return at_symbol(symbol) && (take(), true); }
  bool skip_name(std::string_view name) { return at_name(name) && (take(), true); }

  void expect_symbol(std::string_view symbol) {
    if (!skip_symbol(symbol)) fail(str_cat("expected '", symbol, "', got ", describe()));
  }
  std::string expect_name() {
    if (!at(TokenKind::name)) fail(str_cat("expected a name, got ", describe()));
    return take().text;
  }
  void expect(TokenKind kind, std::string_view what) {
    if (!at(kind)) fail(str_cat("expected ", what, ", got ", describe()));
    take();
  }

  [[noreturn]] void fail(std::string_view message) const { fail(ErrorCode::corrupt_file, offset(), message); }
  [[noreturn]] void fail(ErrorCode code, uint32_t offset, std::string_view message) const {
    source_.fail(code, offset, message);
  }

  std::string describe() const {
    switch (current().kind) {
      case TokenKind::end:
        return "the end";
      case TokenKind::data:
        return "text";
      case TokenKind::output_begin:
        return "'{{'";
      case TokenKind::output_end:
        return "'}}'";
      case TokenKind::block_begin:
        return "'{%'";
      case TokenKind::block_end:
        return "'%}'";
      default:
        return quote_bytes(current().text);
    }
  }

  // Counts how deep the parser is in the source, so that the source can't exhaust the stack.
  class Deeper {
   public:
    explicit Deeper(TokenStream& stream) : stream_(stream) {
      if (++stream_.depth_ > kMostSyntaxDepth) {
        stream_.fail(ErrorCode::unsupported, stream_.offset(),
                     str_cat("expected nesting at most ", kMostSyntaxDepth, " deep, got more"));
      }
    }
    ~Deeper() { --stream_.depth_; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;

   private:
    TokenStream& stream_;
  };

 private:
  const Source& source_;
  std::vector<Token> tokens_;
  size_t position_ = 0;
  int depth_ = 0;
};

}  // namespace emelex::jinja

#include "text/jinja/parser.h"

#include <algorithm>
#include <initializer_list>

#include "text/jinja/expression_parser.h"
#include "text/jinja/token_stream.h"

namespace emelex::jinja {
namespace {

class Parser {
 public:
  explicit Parser(const Source& source) : tokens_(source), expressions_(tokens_) {}

  Block run() {
    Block block = statements({});
    if (!tokens_.at(TokenKind::end)) tokens_.fail(str_cat("expected no ", tokens_.describe(), " here, got one"));
    return block;
  }

 private:
  using Names = std::initializer_list<std::string_view>;

  // Statements up to a tag whose name is one of `ends`; that tag is left at its name.
  Block statements(Names ends) {
    const TokenStream::Deeper deeper(tokens_);
    Block block;
    while (!tokens_.at(TokenKind::end)) {
      if (tokens_.at(TokenKind::data)) {
        auto made = make(StatementKind::data);
        made->text = Text(tokens_.take().text);
        block.push_back(std::move(made));
      } else if (tokens_.at(TokenKind::output_begin)) {
        auto made = make(StatementKind::output);
        tokens_.take();
        made->expressions.push_back(expressions_.expression_or_tuple());
        tokens_.expect(TokenKind::output_end, "'}}'");
        block.push_back(std::move(made));
      } else {
        const uint32_t tag = tokens_.take().offset;
        if (std::any_of(ends.begin(), ends.end(), [&](auto name) { return tokens_.at_name(name); })) return block;
        block.push_back(tagged(tag));
      }
    }
    if (ends.size() > 0) tokens_.fail(str_cat("expected '{% ", *(ends.end() - 1), " %}', got the end"));
    return block;
  }

  std::unique_ptr<Statement> make(StatementKind kind) const {
    auto made = std::make_unique<Statement>();
    made->kind = kind;
    made->offset = tokens_.offset();
    return made;
  }

  void end_tag() { tokens_.expect(TokenKind::block_end, "'%}'"); }

  // The rest of this tag, statements up to {% end %}, and that.
  Block body(std::string_view end) {
    end_tag();
    Block block = statements({end});
    tokens_.take();
    return block;
  }

  std::unique_ptr<Statement> tagged(uint32_t tag) {
    using Rule = std::unique_ptr<Statement> (Parser::*)();
    static constexpr std::pair<std::string_view, Rule> kRules[] = {
        {"if", &Parser::if_statement},       {"for", &Parser::for_statement},
        {"set", &Parser::set_statement},     {"macro", &Parser::macro_statement},
        {"call", &Parser::call_statement},   {"filter", &Parser::filter_statement},
        {"with", &Parser::with_statement},   {"generation", &Parser::generation_statement},
        {"break", &Parser::break_statement}, {"continue", &Parser::continue_statement},
    };
    for (const auto& [name, rule] : kRules) {
      if (!tokens_.at_name(name)) continue;
      auto made = (this->*rule)();
      made->offset = tag;
      end_tag();
      return made;
    }
    const bool closes = tokens_.at(TokenKind::name) && (tokens_.current().text.rfind("end", 0) == 0 ||
                                                        tokens_.at_name("else") || tokens_.at_name("elif"));
    if (closes || !tokens_.at(TokenKind::name)) {
      tokens_.fail(str_cat("expected a statement, got ", tokens_.describe()));
    }
    tokens_.fail(ErrorCode::unsupported, tokens_.offset(),
                 str_cat("the statement ", tokens_.describe(), " is not supported"));
  }

  std::unique_ptr<Statement> if_statement() {
    auto made = make(StatementKind::if_);
    tokens_.take();
    made->expressions.push_back(expressions_.tuple_no_conditional());
    for (;;) {
      end_tag();
      made->blocks.push_back(statements({"elif", "else", "endif"}));
      const std::string word = tokens_.take().text;
      if (word == "endif") return made;
      if (word == "else") {
        made->blocks.push_back(body("endif"));
        return made;
      }
      made->expressions.push_back(expressions_.tuple_no_conditional());
    }
  }

  std::unique_ptr<Statement> for_statement() {
    auto made = make(StatementKind::for_);
    tokens_.take();
    made->targets.push_back(target(false));
    if (!tokens_.skip_name("in")) tokens_.fail(str_cat("expected 'in', got ", tokens_.describe()));
    made->expressions.push_back(expressions_.tuple_no_conditional());
    made->expressions.push_back(tokens_.skip_name("if") ? expressions_.expression() : nullptr);
    made->recursive = tokens_.skip_name("recursive");
    end_tag();
    ++loops_;
    made->blocks.push_back(statements({"else", "endfor"}));
    --loops_;
    made->blocks.emplace_back();
    if (tokens_.take().text == "else") made->blocks.back() = body("endfor");
    return made;
  }

  // A name, a name's attribute where `attributes` may be set, or several with commas between and perhaps in
  // parentheses.
  Target target(bool attributes) {
    const TokenStream::Deeper deeper(tokens_);
    Target first = target_part(attributes);
    if (!tokens_.at_symbol(",")) return first;
    Target all;
    all.offset = first.offset;
    all.parts.push_back(std::move(first));
    while (tokens_.skip_symbol(",")) {
      if (!tokens_.at(TokenKind::name) && !tokens_.at_symbol("(")) break;
      if (tokens_.at_name("in")) break;
      all.parts.push_back(target_part(attributes));
    }
    return all;
  }

  Target target_part(bool attributes) {
    if (tokens_.skip_symbol("(")) {
      Target inner = target(attributes);
      tokens_.expect_symbol(")");
      return inner;
    }
    Target made;
    made.offset = tokens_.offset();
    made.name = tokens_.expect_name();
    if (attributes && tokens_.skip_symbol(".")) made.attribute = tokens_.expect_name();
    return made;
  }

  std::unique_ptr<Statement> set_statement() {
    auto made = make(StatementKind::set);
    tokens_.take();
    made->targets.push_back(target(true));
    if (tokens_.skip_symbol("=")) {
      made->expressions.push_back(expressions_.expression_or_tuple());
      return made;
    }
    made->kind = StatementKind::set_block;
    made->expressions.push_back(tokens_.at_symbol("|") ? expressions_.filters(nullptr, true) : nullptr);
    made->blocks.push_back(body("endset"));
    return made;
  }

  std::vector<Parameter> parameters() {
    std::vector<Parameter> made;
    tokens_.expect_symbol("(");
    while (!tokens_.at_symbol(")")) {
      Parameter parameter;
      parameter.name = tokens_.expect_name();
      if (tokens_.skip_symbol("=")) {
        parameter.fallback = expressions_.expression();
      } else if (!made.empty() && made.back().fallback) {
        tokens_.fail("expected a parameter with a default behind another, got one without");
      }
      made.push_back(std::move(parameter));
      if (!tokens_.skip_symbol(",")) break;
    }
    tokens_.expect_symbol(")");
    return made;
  }

  Block body_outside_loops(std::string_view end) {
    const int loops = std::exchange(loops_, 0);
    Block block = body(end);
    loops_ = loops;
    return block;
  }

  // The body of a macro or call block, which notes what special names are in it; those around it have them as well.
  void macro_body(Statement& macro, std::string_view end) {
    const SpecialNames before = expressions_.take_special_names();
    macro.blocks.push_back(body_outside_loops(end));
    macro.special_names = expressions_.take_special_names();
    expressions_.add_special_names(before);
    expressions_.add_special_names(macro.special_names);
  }

  std::unique_ptr<Statement> macro_statement() {
    auto made = make(StatementKind::macro);
    tokens_.take();
    made->name = tokens_.expect_name();
    made->parameters = parameters();
    macro_body(*made, "endmacro");
    return made;
  }

  std::unique_ptr<Statement> call_statement() {
    auto made = make(StatementKind::call_block);
    tokens_.take();
    made->name = "caller";
    if (tokens_.at_symbol("(")) made->parameters = parameters();
    made->expressions.push_back(expressions_.expression());
    if (made->expressions[0]->kind != ExpressionKind::call) tokens_.fail("expected a call, got something else");
    macro_body(*made, "endcall");
    return made;
  }

  std::unique_ptr<Statement> filter_statement() {
    auto made = make(StatementKind::filter_block);
    tokens_.take();
    made->expressions.push_back(expressions_.filters(nullptr, false));
    made->blocks.push_back(body("endfilter"));
    return made;
  }

  std::unique_ptr<Statement> with_statement() {
    auto made = make(StatementKind::with);
    tokens_.take();
    while (!tokens_.at(TokenKind::block_end)) {
      if (!made->targets.empty()) tokens_.expect_symbol(",");
      made->targets.push_back(target_part(false));
      tokens_.expect_symbol("=");
      made->expressions.push_back(expressions_.expression());
    }
    made->blocks.push_back(body("endwith"));
    return made;
  }

  // Marks what the model itself wrote, for training; it changes nothing in the text.
  std::unique_ptr<Statement> generation_statement() {
    auto made = make(StatementKind::scope);
    tokens_.take();
    made->blocks.push_back(body_outside_loops("endgeneration"));
    return made;
  }

  std::unique_ptr<Statement> leave_loop(StatementKind kind) {
    if (loops_ == 0) tokens_.fail(str_cat("expected ", tokens_.describe(), " in a loop, got it outside"));
    auto made = make(kind);
    tokens_.take();
    return made;
  }
  std::unique_ptr<Statement> break_statement() { return leave_loop(StatementKind::break_); }
  std::unique_ptr<Statement> continue_statement() { return leave_loop(StatementKind::continue_); }

  TokenStream tokens_;
  ExpressionParser expressions_;
  int loops_ = 0;  // around the present place
};

}  // namespace

Block parse(const Source& source) { return Parser(source).run(); }

}  // namespace emelex::jinja

#include "cli/flags.h"

#include <CLI/CLI.hpp>
#include <stdexcept>

namespace emelex::cli {

Check::Check(const std::function<std::string(std::string& text)>& problem)
    : validator_(std::make_shared<CLI::Validator>(problem, "")) {}

Check Check::one_of(const std::vector<std::string>& choices) { return Check(std::make_shared<CLI::IsMember>(choices)); }
Check Check::one_of_in_any_case(const std::vector<std::string>& choices) {
  return Check(std::make_shared<CLI::IsMember>(choices, CLI::ignore_case));
}
Check Check::one_of(const std::vector<int>& choices) { return Check(std::make_shared<CLI::IsMember>(choices)); }

Option& Option::check(const Check& check) {
  option_->check(*check.validator_);
  return *this;
}
Option& Option::required() {
  option_->required();
  return *this;
}
Option& Option::show_default() {
  option_->capture_default_str();
  return *this;
}
Option& Option::default_text(const std::string& text) {
  option_->default_str(text);
  return *this;
}
Option& Option::type_name(const std::string& name) {
  option_->type_name(name);
  return *this;
}
Option& Option::expected(int least, int most) {
  option_->expected(least, most);
  return *this;
}
Option& Option::one_value_each_time() {
  option_->expected(1)->allow_extra_args(false)->take_all();
  return *this;
}
Option& Option::separated_by_commas() {
  option_->delimiter(',')->allow_extra_args(false);
  return *this;
}
Option& Option::needs(const Option& other) {
  option_->needs(other.option_);
  return *this;
}
Option& Option::excludes(const Option& other) {
  option_->excludes(other.option_);
  return *this;
}

Command Command::add_subcommand(const std::string& name, const std::string& help) {
  return Command(app_->add_subcommand(name, help));
}
void Command::require_subcommand(int least, int most) {
  app_->require_subcommand(static_cast<size_t>(least), static_cast<size_t>(most));
}
bool Command::has_chosen_subcommand() const { return !app_->get_subcommands().empty(); }
void Command::footer(const std::string& text) { app_->footer(text); }
void Command::when_chosen(const std::function<void()>& call) { app_->callback(call); }

Option Command::add_flag(const std::string& names, bool& value, const std::string& help) {
  return Option(app_->add_flag(names, value, help));
}
Option Command::add_flag(const std::string& names, std::optional<bool>& value, const std::string& help) {
  return Option(app_->add_flag_function(
      names, [&value](int64_t n) { value = n > 0; }, help));
}
Option Command::add_option(const std::string& names, std::string& value, const std::string& help) {
  return Option(app_->add_option(names, value, help));
}
Option Command::add_option(const std::string& names, int& value, const std::string& help) {
  return Option(app_->add_option(names, value, help));
}
Option Command::add_option(const std::string& names, double& value, const std::string& help) {
  return Option(app_->add_option(names, value, help));
}
Option Command::add_option(const std::string& names, std::optional<std::string>& value, const std::string& help) {
  return add_option(
      names, [&value](const std::string& text) { value = text; }, help);
}
Option Command::add_option(const std::string& names, std::optional<int>& value, const std::string& help) {
  return Option(app_->add_option_function<int>(
      names, [&value](int n) { value = n; }, help));
}
Option Command::add_option(const std::string& names, std::optional<uint64_t>& value, const std::string& help) {
  return Option(app_->add_option_function<uint64_t>(
      names, [&value](uint64_t n) { value = n; }, help));
}
Option Command::add_option(const std::string& names, std::vector<std::string>& values, const std::string& help) {
  return Option(app_->add_option(names, values, help));
}
Option Command::add_option(const std::string& names, std::vector<int>& values, const std::string& help) {
  return Option(app_->add_option(names, values, help));
}
Option Command::add_option(const std::string& names, const std::function<void(const std::string&)>& set,
                           const std::string& help) {
  return Option(app_->add_option_function<std::string>(names, set, help));
}

CommandLine::CommandLine(const std::string& what, const std::string& name)
    : app_(std::make_unique<CLI::App>(what, name)), root_(app_.get()) {}
CommandLine::~CommandLine() = default;

std::string CommandLine::parse(int argc, char** argv) {
  try {
    app_->parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    wants_help_ = true;
  } catch (const CLI::ParseError& error) {
    return error.what();
  } catch (const std::logic_error&) {  // of std::stoll, by which CLI11 reads the value of a flag: --raw=maybe
    return "expected true or false after the = of a flag";
  }
  return "";
}

std::string CommandLine::help() const { return app_->help(); }

std::string CommandLine::chosen_command() const {
  const auto chosen = app_->get_subcommands();
  return chosen.empty() ? "emelex" : "emelex " + chosen.back()->get_name();
}

}  // namespace emelex::cli

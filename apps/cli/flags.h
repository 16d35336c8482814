#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Declares commands and their flags. CLI11 does the work, in flags.cpp alone: its headers take a compiler longer than
// all else in a command's file.

namespace CLI {
class App;
class Option;
class Validator;
}  // namespace CLI

namespace emelex::cli {

// What the text of a flag has to be.
class Check {
 public:
  // `problem` says what is wrong with a text, or nothing; it may change the text into what is meant.
  explicit Check(const std::function<std::string(std::string& text)>& problem);

  // --help lists the choices.
  static Check one_of(const std::vector<std::string>& choices);
  static Check one_of_in_any_case(const std::vector<std::string>& choices);
  static Check one_of(const std::vector<int>& choices);

 private:
  friend class Option;
  explicit Check(std::shared_ptr<const CLI::Validator> validator) : validator_(std::move(validator)) {}
  std::shared_ptr<const CLI::Validator> validator_;
};

// A flag, option or argument that was declared. Valid as long as its command.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}

  Option& check(const Check& check);
  Option& required();
  Option& show_default();                         // in --help
  Option& default_text(const std::string& text);  // what --help shows as the default
  Option& type_name(const std::string& name);     // what --help shows for the value
  Option& expected(int least, int most);          // values at once
  Option& one_value_each_time();                  // may be given again, and what follows a value is no other value
  Option& separated_by_commas();                  // several values in one text, and what follows it is no other value
  Option& needs(const Option& other);
  Option& excludes(const Option& other);

 private:
  CLI::Option* option_;
};

// A command, or the program itself. What values are written to must outlive the parsing.
class Command {
 public:
  explicit Command(CLI::App* app) : app_(app) {}

  Command add_subcommand(const std::string& name, const std::string& help);
  void require_subcommand(int least, int most);
  bool has_chosen_subcommand() const;
  void footer(const std::string& text);  // after the flags in --help
  // Called when the command was the chosen one, after those of its subcommands.
  void when_chosen(const std::function<void()>& call);

  Option add_flag(const std::string& names, bool& value, const std::string& help);
  // "--this,!--no-this": true for the one, false for the other.
  Option add_flag(const std::string& names, std::optional<bool>& value, const std::string& help);
  // "-f,--file" is an option; "FILE", without dashes, an argument.
  Option add_option(const std::string& names, std::string& value, const std::string& help);
  Option add_option(const std::string& names, int& value, const std::string& help);
  Option add_option(const std::string& names, double& value, const std::string& help);
  Option add_option(const std::string& names, std::optional<std::string>& value, const std::string& help);
  Option add_option(const std::string& names, std::optional<int>& value, const std::string& help);
  Option add_option(const std::string& names, std::optional<uint64_t>& value, const std::string& help);
  Option add_option(const std::string& names, std::vector<std::string>& values, const std::string& help);
  Option add_option(const std::string& names, std::vector<int>& values, const std::string& help);
  Option add_option(const std::string& names, const std::function<void(const std::string&)>& set,
                    const std::string& help);

 private:
  CLI::App* app_;
};

// The program's arguments.
class CommandLine {
 public:
  CommandLine(const std::string& what, const std::string& name);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  Command& root() { return root_; }
  // What is wrong with the arguments, or nothing.
  std::string parse(int argc, char** argv);
  // Whether --help was among the arguments; parse() reports nothing then.
  bool wants_help() const { return wants_help_; }
  std::string help() const;
  // "emelex run", or "emelex" when no subcommand was reached.
  std::string chosen_command() const;

 private:
  std::unique_ptr<CLI::App> app_;
  Command root_;
  bool wants_help_ = false;
};

}  // namespace emelex::cli

#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace emelex {

// A variable's value; "" where it is not set.
std::string environment(const char* name);

// Whether a text says yes (1, on, yes, true) or no (0, off, no, false), in letters of any size. Nothing for another.
std::optional<bool> yes_or_no(std::string_view text);

// Whether a variable says yes, as Hugging Face's libraries read it: 1, ON, YES or TRUE.
bool environment_says_yes(const char* name);

// HOME as an absolute path, or empty where that is not set.
std::filesystem::path home_folder();

// A path that a variable names, with "~/" as the user's home, as an absolute one. Empty where it is not set.
std::filesystem::path path_from_environment(const char* name);

// Where Hugging Face's libraries keep their things: HF_HOME, else huggingface in the user's cache folder. Empty where
// the environment names no place: then nothing is looked for in the current folder.
std::filesystem::path hugging_face_home();

}  // namespace emelex

#pragma once

#include <filesystem>
#include <string>

namespace emelex {

// A variable's value; "" where it is not set.
std::string environment(const char* name);

// Whether a variable says yes, as Hugging Face's libraries read it: 1, ON, YES or TRUE.
bool environment_says_yes(const char* name);

// Where Hugging Face's libraries keep their things: HF_HOME, else huggingface in the user's cache folder.
std::filesystem::path hugging_face_home();

}  // namespace emelex

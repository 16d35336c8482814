#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/strings.h"
#include "emelex/error.h"

namespace emelex {

// Things by their names, added by the files that have them: a static object of each file does so before main() starts,
// in any order. From then on nothing changes, so any thread may look. Listed by name, whatever the linker's order.
template <class T>
class NameTable {
 public:
  // `what` is what a name is of, for messages: "architecture".
  explicit NameTable(std::string_view what) : what_(what) {}

  // Throws Error(internal) where the name is taken; before main() that ends the program with the message.
  void add(std::string_view name, T entry) {
    if (entries_.try_emplace(std::string(name), std::move(entry)).second) return;
    throw Error(ErrorCode::internal,
                str_cat("[registry] expected each ", what_, " once, got ", quote_bytes(name), " twice"));
  }

  // nullptr where there is none of that name.
  const T* find(std::string_view name) const {
    const auto found = entries_.find(name);
    return found == entries_.end() ? nullptr : &found->second;
  }

  const std::map<std::string, T, std::less<>>& entries() const { return entries_; }

  // "llama, phi3", for messages.
  std::string names() const {
    std::string names;
    for (const auto& [name, entry] : entries_) names += (names.empty() ? "" : ", ") + name;
    return names;
  }

 private:
  std::string_view what_;
  std::map<std::string, T, std::less<>> entries_;
};

}  // namespace emelex

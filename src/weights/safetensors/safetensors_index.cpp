#include "weights/safetensors/safetensors_index.h"

#include "base/json_text.h"
#include "base/strings.h"
#include "emelex/error.h"
#include "weights/bounded_json.h"

namespace emelex {
namespace {

// The largest models have some 100,000 tensors of 100 bytes of text each.
constexpr JsonLimits kIndexLimits{128 << 20, 8, 2'000'000};

[[noreturn]] void fail(std::string_view expected, std::string_view got, const std::string& source) {
  throw Error(ErrorCode::corrupt_file, str_cat("[safetensors] expected ", expected, ", got ", got, " in ", source));
}

// A model never reaches outside of its folder.
bool is_plain_file_name(std::string_view name) {
  constexpr std::string_view kEnd = ".safetensors";
  return name.size() > kEnd.size() && name.size() <= 255 && name.ends_with(kEnd) && name.front() != '.' &&
         name.find_first_of(std::string_view("/\\:\0", 4)) == std::string_view::npos;
}

}  // namespace

SafeTensorsIndex read_safetensors_index(std::string_view text, const std::string& source) {
  const Json root = parse_json(text, kIndexLimits, "safetensors", source);
  const auto map = root.is_object() ? root.find("weight_map") : root.end();
  if (map == root.end() || !map->is_object()) fail("an object weight_map", "none", source);
  SafeTensorsIndex files;
  for (const auto& [tensor, file] : map->items()) {
    if (!file.is_string() || !is_plain_file_name(file.get_ref<const std::string&>())) {
      fail(str_cat("the name of a .safetensors file beside it for ", quote_bytes(tensor)), quote_bytes(json_text(file)),
           source);
    }
    files.emplace(tensor, file.get<std::string>());
  }
  return files;
}

}  // namespace emelex

#include "tools/model_keys.h"

#include <system_error>

#include "base/mapped_file.h"
#include "base/strings.h"
#include "engine/choose_backend.h"
#include "models/model.h"
#include "weights/safetensors/hf_config.h"

namespace emelex {

std::vector<KeyState> keys_of_model(const std::filesystem::path& path) {
  std::error_code ignored;
  const bool is_file = path.extension() == ".safetensors";
  if (is_file || std::filesystem::is_directory(path, ignored)) {
    const std::filesystem::path config = (is_file ? path.parent_path() : path) / "config.json";
    const auto file = MappedFile::open(config);
    const auto bytes = file->bytes();
    return hf_config_keys({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path_text(config));
  }
  const auto backend = make_backend({Device::cpu, KernelBackend::fast}, 1);
  return model_keys({open_weights(path), *backend, 0});
}

const char* key_use_text(KeyUse use) {
  switch (use) {
    case KeyUse::used:
      return "used";
    case KeyUse::no_effect:
      return "no effect";
    case KeyUse::refused:
      return "refused";
    case KeyUse::unknown:
      return "unknown";
  }
  return "";
}

}  // namespace emelex

#include "models/architecture.h"

#include "base/strings.h"
#include "emelex/error.h"

namespace emelex {
namespace {

// Made when the first is added, as the order in which files' static objects are made is not known.
NameTable<Architecture>& registry() {
  static NameTable<Architecture> all("architecture");
  return all;
}

}  // namespace

RegisterArchitecture::RegisterArchitecture(const Architecture& architecture) {
  registry().add(architecture.name, architecture);
}

const NameTable<Architecture>& architectures() { return registry(); }

const Architecture& find_architecture(const Metadata& metadata) {
  const std::string name = metadata.require_string("general.architecture");
  if (const Architecture* found = architectures().find(name)) return *found;
  throw Error(ErrorCode::unsupported,
              str_cat("[models] expected one of the known architectures (", architectures().names(), "), got ",
                      quote_bytes(name), " in ", metadata.source()));
}

RopePairs rope_pairs(const Metadata& metadata) {
  const auto interleaved = metadata.boolean("emelex.rope.interleaved");
  if (!interleaved) return find_architecture(metadata).rope_pairs;
  return *interleaved ? RopePairs::neighbours : RopePairs::halves;
}

void check_architecture(const Metadata& metadata) { find_architecture(metadata); }

std::unique_ptr<Model> make_model(const ModelInput& source) {
  return find_architecture(source.weights->metadata()).make(source);
}

}  // namespace emelex

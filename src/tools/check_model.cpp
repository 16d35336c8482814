#include "tools/check_model.h"

#include "engine/check_vocabulary.h"
#include "engine/choose_backend.h"
#include "model_files/model_files.h"
#include "models/model.h"
#include "text/files/tokenizer_factory.h"

namespace emelex {

void check_model(const std::filesystem::path& path) {
  const ModelFiles files = open_model(path);
  check_architecture(files.weights->metadata());  // first: the likeliest reason why a good file can't be run
  const auto tokenizer = make_tokenizer(files.tokenizer);
  const auto backend = make_backend({Device::cpu, KernelBackend::fast}, 1);
  const auto model = make_model({files.weights, *backend, 0});
  check_vocabulary(*tokenizer, files.tokenizer, model->config().vocab_size);
}

}  // namespace emelex

// A file of 3 GB, sparse: opening it takes no time and no memory in proportion to its size.
#include <doctest/doctest.h>
#include <unistd.h>

#include <chrono>
#include <fstream>

#include "base/temporary_folder.h"
#include "weights/gguf/gguf_writer.h"
#include "weights/weights.h"

namespace emelex {
namespace {

constexpr int kLayers = 28;
constexpr int64_t kDim = 3072;
constexpr int64_t kHidden = 8192;

// The matrices of a model of 3 billion weights, in Q8_0.
void write_large_file(const std::filesystem::path& path) {
  GgufWriter file;
  file.add("general.architecture", "llama");
  file.declare_tensor("token_embd.weight", TensorType::q8_0, {32000, kDim});
  for (int i = 0; i < kLayers; ++i) {
    const std::string block = "blk." + std::to_string(i) + ".";
    for (const char* name : {"attn_q", "attn_k", "attn_v", "attn_output"}) {
      file.declare_tensor(block + name + ".weight", TensorType::q8_0, {kDim, kDim});
    }
    for (const char* name : {"ffn_gate", "ffn_up"}) {
      file.declare_tensor(block + name + ".weight", TensorType::q8_0, {kHidden, kDim});
    }
    file.declare_tensor(block + "ffn_down.weight", TensorType::q8_0, {kDim, kHidden});
  }
  const std::vector<std::byte> header = file.header();
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(header.data()), static_cast<std::streamsize>(header.size()));
  out.close();
  const int64_t values = 32000 * kDim + kLayers * (4 * kDim * kDim + 3 * kDim * kHidden);
  std::filesystem::resize_file(path, header.size() + static_cast<uintmax_t>(values / 32 * 34));
}

// Of this process, in bytes; 0 where the system does not say.
int64_t resident_bytes() {
  std::ifstream in("/proc/self/statm");
  int64_t total = 0;
  int64_t resident = 0;
  return in >> total >> resident ? resident * ::sysconf(_SC_PAGESIZE) : 0;
}

// The first and last byte of every tensor.
int touch(const Weights& weights) {
  int sum = 0;
  for (const auto& [name, tensor] : weights.tensors()) {
    sum += static_cast<int>(tensor.data.front()) + static_cast<int>(tensor.data.back());
  }
  return sum;
}

TEST_CASE("a file of 3 GB is opened without being read") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "large.gguf";
  write_large_file(path);
  CHECK(std::filesystem::file_size(path) > 3'000'000'000U);
  CHECK(touch(*open_weights(path)) == 0);  // now it is warm
  const int64_t before = resident_bytes();
  const auto begin = std::chrono::steady_clock::now();
  const auto weights = open_weights(path);
  CHECK(touch(*weights) == 0);
  const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - begin;
  const int64_t grown = resident_bytes() - before;
  CHECK(weights->tensors().size() == 7 * kLayers + 1);
  // Two touched places a tensor; the kernel maps up to 64 KB around each.
  CHECK(grown < 32 << 20);
  MESSAGE("opened, and each tensor touched, in ", time.count(), " ms; resident memory grew by ", grown / 1024, " KB");
}

}  // namespace
}  // namespace emelex

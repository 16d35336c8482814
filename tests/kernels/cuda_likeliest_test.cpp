// The likeliest tokens as a GPU finds them, beside the host's; skipped where there is no GPU.
#include <doctest/doctest.h>

#include <limits>
#include <vector>

#include "base/likeliest.h"
#include "kernels/cuda_test.h"

using namespace emelex;
using namespace emelex::test;
using namespace emelex::cuda;

TEST_CASE("a GPU finds the likeliest tokens that the host finds, among equal, infinite and impossible ones too") {
  if (!has_gpu()) return;
  const auto device = std::make_shared<Device>();
  constexpr int kColumns = 5003;
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  std::vector<std::vector<float>> rows;
  for (uint32_t seed = 1; seed <= 3; ++seed) rows.push_back(Random(seed).normals(kColumns));
  const auto with = [&](std::vector<std::pair<int, float>> changes, float all) {
    std::vector<float> row(kColumns, all);
    for (const auto& [at, value] : changes) row[static_cast<size_t>(at)] = value;
    rows.push_back(row);
  };
  with({}, -1.0F);
  with({{4000, 2.0F}, {70, 2.0F}}, 1.0F);
  with({{5002, -0.0F}, {4999, 0.0F}}, -3.0F);
  with({{4001, -0.0F}, {4500, 0.0F}}, -3.0F);
  with({{0, kNan}, {4096, kInfinity}, {4095, kNan}, {4100, std::numeric_limits<float>::max()}}, 0.0F);
  with({{17, -1e30F}}, -kInfinity);
  with({}, -kInfinity);
  with({}, kNan);
  std::vector<float> logits;
  for (const auto& row : rows) logits.insert(logits.end(), row.begin(), row.end());
  const auto n = static_cast<unsigned>(rows.size());
  const DeviceMemory on_gpu(device, logits.size() * sizeof(float));
  const DeviceMemory keys(device, n * sizeof(uint64_t));
  const DeviceMemory found(device, n * sizeof(int32_t));
  device->upload(on_gpu.pointer(), logits.data(), logits.size() * sizeof(float));
  device->clear(keys.pointer(), keys.bytes());
  for (int run = 0; run < 2; ++run) {  // the second finds the keys as the first left them
    device->fill(found.pointer(), 0x55, found.bytes());
    device->launch(device->kernel({"elementwise", {}}, "likeliest"), {3, n}, 512, on_gpu.pointer(), kColumns,
                   keys.pointer());
    device->launch(device->kernel({"elementwise", {}}, "take_likeliest"), {1}, 128, keys.pointer(), static_cast<int>(n),
                   found.pointer());
    std::vector<int32_t> tokens(n);
    device->download(tokens.data(), found.pointer(), found.bytes());
    device->wait();
    for (size_t i = 0; i < rows.size(); ++i) {
      CAPTURE(i);
      CHECK(tokens[i] == likeliest_of(rows[i]));
    }
  }
}

// emelex's side of tests/differential/logits_check.py:
//
//   logits_tool MODEL SEQUENCES LOGITS [CHUNK [GENERATE [CONTEXT]]]
//
// SEQUENCES holds lists of token ids, each after its length (32 bits each, little endian). LOGITS gets the logits
// [tokens, vocab_size] of every list as float32, prefilled CHUNK tokens at a time; with GENERATE, that many greedy
// tokens follow each list, and LOGITS gets only those tokens' ids. With CONTEXT, that is the session's, and the cache
// holds float32. EMELEX_KERNELS chooses the backend.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "engine/runner.h"
#include "weights/weights.h"

namespace {

using emelex::TokenId;

std::vector<std::vector<TokenId>> read_lists(const char* path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<std::vector<TokenId>> lists;
  int32_t length = 0;
  while (file.read(reinterpret_cast<char*>(&length), 4)) {
    lists.emplace_back(static_cast<size_t>(length));
    file.read(reinterpret_cast<char*>(lists.back().data()), std::streamsize{4} * length);
  }
  return lists;
}

template <class T>
void write(std::ofstream& file, const std::vector<T>& values) {
  file.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(T)));
}

std::vector<TokenId> generate(emelex::Runner& runner, emelex::SequenceId sequence, std::vector<TokenId> list,
                              int count) {
  auto logits = runner.append(sequence, list);
  std::vector<TokenId> generated;
  while (true) {
    generated.push_back(static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
    if (static_cast<int>(generated.size()) == count) return generated;
    list.push_back(generated.back());
    logits = runner.append_last(sequence, list);
  }
}

int run(int n, char** arguments) {
  emelex::LoadOptions options;
  if (n > 4) options.prefill_chunk = std::atoi(arguments[4]);
  const int count = n > 5 ? std::atoi(arguments[5]) : 0;
  if (n > 6) {
    options.context = std::atoi(arguments[6]);
    options.kv_type = emelex::KvType::f32;
  }
  emelex::Runner runner(emelex::open_weights(arguments[1]), options);
  std::ofstream out(arguments[3], std::ios::binary);
  for (const auto& list : read_lists(arguments[2])) {
    const auto sequence = runner.cache().create();
    if (count > 0) {
      write(out, generate(runner, sequence, list, count));
    } else {
      const auto logits = runner.append(sequence, list, emelex::Want::all);
      write(out, std::vector<float>(logits.begin(), logits.end()));
    }
    runner.cache().release(sequence);
  }
  return out.flush() ? 0 : 1;
}

}  // namespace

int main(int n, char** arguments) {
  try {
    if (n < 4) throw std::runtime_error("usage: logits_tool MODEL SEQUENCES LOGITS [CHUNK [GENERATE [CONTEXT]]]");
    return run(n, arguments);
  } catch (const std::exception& error) {
    std::cerr << "logits_tool: " << error.what() << '\n';
    return 1;
  }
}

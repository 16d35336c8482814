#pragma once

// Start here. An Engine is one model in memory; a Session is one conversation's KV cache; generate() turns a prompt
// into text, piece by piece.
//
//   auto engine = emelex::Engine::load("model.gguf");
//   auto session = engine->new_session();
//   auto prompt = engine->chat_prompt({{"user", "Hello!"}});
//   engine->generate(*session, prompt, {}, [](std::string_view text) { std::cout << text; return true; });

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "emelex/chat.h"
#include "emelex/error.h"
#include "emelex/sampling.h"
#include "emelex/tokenizer.h"

namespace emelex {

enum class Device { automatic, cpu, gpu };

// Which kernels compute. `fast` and `float32` are emelex's own for CPUs: with activations rounded to 8 bits a block
// where weights are quantized, or with float32 activations throughout. `cuda` is emelex's own for NVIDIA GPUs. `mlx` is
// MLX's stock operations, for other GPUs and for models that `cuda` lacks something for. `automatic` is EMELEX_KERNELS
// (fast, float, mlx, cuda) if set, else `fast` on a CPU and, on a GPU, `cuda` where it can be used.
enum class KernelBackend { automatic, fast, float32, mlx, cuda };

// How the KV cache stores its numbers. `automatic` is f16, or f32 with float32 kernels. `q8_0`, 8-bit integers with a
// scale for every 32 of them, takes little more than half of f16's memory; not with the mlx kernels.
enum class KvType { automatic, f16, f32, q8_0 };

// Tokens that a session can hold unless LoadOptions says otherwise, or the model was trained for fewer.
inline constexpr int kDefaultContext = 8192;
inline constexpr int kMostThreads = 1024;

struct LoadOptions {
  Device device = Device::automatic;
  KernelBackend kernels = KernelBackend::automatic;
  KvType kv_type = KvType::automatic;
  int threads = 0;        // that compute, at most kMostThreads; 0: one per physical core
  int context = 0;        // tokens that a session can hold; 0: the smaller of the model's and kDefaultContext
  int prefill_chunk = 0;  // tokens of a prompt computed at once; 0: 128 on a CPU, 512 on a GPU

  // Bytes that the model may take where it runs, on the CPU or on a GPU: weights, all sessions' cache, and an estimate
  // of what computing takes. One session of `context` tokens must fit, else loading throws Error(out_of_memory) with
  // the numbers; more sessions do while there is room for their tokens. 0: no limit
  int64_t memory_limit = 0;
  int64_t gpu_memory_limit = 0;
};

struct GenerateOptions {
  SamplingOptions sampling;
  int max_tokens = 1000;                      // 0: only compute the prompt
  std::vector<std::string> stop;              // valid UTF-8 that ends the generation; never a part of the result
  const std::atomic<bool>* cancel = nullptr;  // set to true from any thread or signal handler to stop after this token
};

enum class FinishReason {
  stop_token,    // the model ended its turn
  stop_string,   // one of GenerateOptions::stop came up
  max_tokens,    // GenerateOptions::max_tokens were made
  context_full,  // the session holds as many tokens as it can
  cancelled,     // the cancel flag was set, or the callback returned false
};

// "stop_token", …
std::string_view to_string(FinishReason reason);

struct GenerateStats {
  int prompt_tokens = 0;       // of the prompt, cached ones included
  int cached_tokens = 0;       // of the prompt, found in the session and not computed again
  int generated_tokens = 0;    // the ending token not counted
  double prefill_seconds = 0;  // from the call to the first token
  double decode_seconds = 0;   // from the first token to the last

  double prefill_tokens_per_second() const;  // 0 when nothing was measured
  double decode_tokens_per_second() const;
};

struct GenerateResult {
  std::string text;  // all of it, as the callback saw it
  FinishReason finish = FinishReason::stop_token;
  GenerateStats stats;
};

struct ModelInfo {
  std::string name;          // general.name of the file, or its file name
  std::string architecture;  // "llama"
  std::string quantization;  // the type that most of the weights' bytes have: "q4_1"
  int64_t parameters = 0;
  int64_t weight_bytes = 0;  // of all tensors in the file
  int64_t active_bytes = 0;  // of those that are read to compute one token: some of the experts, no table of embeddings
  int experts = 0;           // in a layer that has some; 0: none
  int model_context = 0;     // tokens that the model was trained for
  int context = 0;           // tokens that a session can hold
  int64_t kv_bytes_per_token = 0;
  int threads = 0;
  std::string device;           // "cpu" or "gpu"
  std::string kernels;          // "fast", "float", "mlx" or "cuda"
  std::string instruction_set;  // of emelex's own kernels: "avx512", "avx2", "scalar"; "sm_90"
  std::string not_cuda;         // why the model does not run by the cuda kernels, where it was to; else empty
};

// Called on the thread that called generate(), with the next piece of text: whole UTF-8 characters, never empty, never
// a part of a stop string. Returns false to stop.
using TextCallback = std::function<bool(std::string_view text)>;

// The KV cache of one conversation. It remembers which tokens it holds: a prompt that begins with them computes only
// the rest. Made by Engine::new_session; must not outlive its engine. One thread at a time. Its memory is freed once
// the engine has done the work that it was given before.
class Session {
 public:
  virtual ~Session() = default;    // never waits, never fails
  virtual int length() const = 0;  // tokens held after the last generation
  virtual void clear() = 0;        // does not wait. Throws Error(out_of_memory)
};

// A model, loaded. Its methods may be called from any thread; work is done in the order of the calls.
class Engine {
 public:
  virtual ~Engine() = default;

  // Loads a model: a .gguf file (the first of a split one), or a folder of SafeTensors. Throws Error, and nothing else,
  // when it can't be read or run; see ErrorCode.
  static std::unique_ptr<Engine> load(const std::filesystem::path& path, const LoadOptions& options = {});

  virtual const ModelInfo& info() const = 0;
  virtual const Tokenizer& tokenizer() const = 0;

  // The model's chat template, or one that stands in for it: see ChatTemplate::built_in. One that emelex can't read
  // throws Error with the reason when it is used, so that raw prompts still work.
  virtual const ChatTemplate& chat_template() const = 0;

  // What the model's files recommend. It is the caller's to use: generate() takes GenerateOptions as they are.
  virtual const SamplingDefaults& sampling_defaults() const = 0;

  // What in the model's files was left out or looks wrong, a line each, for people. Text may be the files' own.
  virtual const std::vector<std::string>& warnings() const = 0;

  // The ids of a conversation, ready for an answer. Throws what ChatTemplate::render_segments does.
  std::vector<TokenId> chat_prompt(const std::vector<Message>& messages, const ChatOptions& options = {}) const;

  // The ids of a text without a template: a raw completion, with the begin-of-sequence token where the model wants one.
  std::vector<TokenId> raw_prompt(std::string_view text) const;

  // An empty session. Does not wait for the work under way. Throws Error(out_of_memory).
  virtual std::unique_ptr<Session> new_session() = 0;

  // Computes the prompt and generates until one of FinishReason. Blocks; `on_text` may be empty. Whatever ends it, an
  // error too, the session is left holding what was computed, and may be used again. Throws Error:
  //   invalid_argument: the prompt is empty, has an id out of range or does not fit in the context (nothing is ever cut
  //     off silently), an option is out of its range, or the session is another engine's;
  //   corrupt_file: the weights give no usable logits;
  //   out_of_memory, device, internal: the computation failed.
  // What `on_text` throws comes out of here once the generation has ended.
  virtual GenerateResult generate(Session& session, std::span<const TokenId> prompt, const GenerateOptions& options,
                                  const TextCallback& on_text) = 0;
};

// "0.1.0"
std::string_view version();

// What this build runs on, for people: the MLX version, the devices found, the instruction set chosen.
struct BuildInfo {
  std::string version;               // emelex
  std::string mlx_version;           // of the library loaded
  std::string instruction_set;       // chosen for this CPU
  std::vector<std::string> devices;  // "cpu", "gpu"
};
BuildInfo build_info();

}  // namespace emelex

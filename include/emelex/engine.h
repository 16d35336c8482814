#pragma once

// Start here. An Engine is one model in memory. submit() turns a prompt into text, piece by piece, and any number of
// requests run at once. generate() does the same and waits.
//
//   auto engine = emelex::Engine::load("model.gguf");
//   auto session = engine->new_session();
//   auto prompt = engine->chat_prompt({{"user", "Hello!"}});
//   engine->generate(*session, prompt, {}, [](std::string_view text) { std::cout << text; return true; });

#include <atomic>
#include <chrono>
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

// Which kernels compute.
enum class KernelBackend {
  automatic,  // EMELEX_KERNELS (fast, float, mlx, cuda) if set; else `fast` on a CPU, `cuda` on a GPU, or `mlx` there
  fast,       // emelex's own for CPUs; products with quantized weights round their input to 8 bits in blocks
  float32,    // emelex's own for CPUs, in float32 throughout
  mlx,        // MLX's operations, for other GPUs and for models that the cuda kernels can't compute
  cuda,       // emelex's own for NVIDIA GPUs
};

// How the KV cache stores its numbers.
enum class KvType {
  automatic,  // f16; f32 with the float32 kernels
  f16,
  f32,
  q8_0,  // 8-bit integers with a scale for every 32, little more than half of f16's memory; only on CPUs
};

// The default of LoadOptions::context.
inline constexpr int kDefaultContext = 8192;
inline constexpr int kMostThreads = 1024;

struct LoadOptions {
  Device device = Device::automatic;
  KernelBackend kernels = KernelBackend::automatic;
  KvType kv_type = KvType::automatic;
  int threads = 0;        // that compute, at most kMostThreads; 0: one per physical core
  int context = 0;        // tokens that a session can hold; 0: the smaller of the model's and kDefaultContext
  int prefill_chunk = 0;  // tokens of a prompt computed at once; 0: 128 on a CPU, 512 with MLX on a GPU, 2048 with cuda

  // Bytes that the model may take, the first on a CPU, the second on a GPU: the weights, the cache of all sessions, and
  // an estimate of what computing takes. Loading throws Error(out_of_memory) with the numbers unless one session of
  // `context` tokens fits. Further requests share what is left. 0: no limit
  int64_t memory_limit = 0;
  int64_t gpu_memory_limit = 0;
  // Keep the weights on an NVIDIA GPU as float16, too, for prompts and more than 64 sequences at once: where the limit
  // leaves room for it, or without a limit where it takes no more than half of what the model leaves free.
  bool gpu_float16_copy = true;

  // Bytes of the cache that may hold what no running request uses, so that later prompts which begin with the same
  // tokens need not compute them again; the least recently used goes first. 0: nothing is kept. None: as many as a
  // session of `context` tokens takes
  std::optional<int64_t> kept_cache_limit;

  int max_running = 0;     // requests that are computed at once; 0: 32 on a CPU, 256 on a GPU
  int max_waiting = 1000;  // requests that wait beside those; past it submit() throws Error(busy)

  // Seconds that a step may take while texts are being generated: what they leave of it goes to prompts. 0: a
  // tenth, or twice the time that a step takes without prompts where that is longer
  double step_budget = 0;
};

struct GenerateOptions {
  SamplingOptions sampling;
  int max_tokens = 1000;                      // 0: only compute the prompt
  std::vector<std::string> stop;              // valid UTF-8 that ends the generation; never a part of the result
  const std::atomic<bool>* cancel = nullptr;  // true: stop after this token. Any thread or signal handler may set it

  // What becomes of a prompt that does not fit into the context. None: it is refused. Else its first `keep_head` tokens
  // stay, and of those after them the oldest are dropped: as many as leave room for max_tokens, or for half of what is
  // not the head. GenerateStats::dropped_tokens says how many.
  std::optional<int> keep_head;

  // Requests share computed prefixes only with requests of the same scope, so that nobody can tell from the time of an
  // answer what somebody else has asked. Any text, such as a tenant's name.
  std::string cache_scope;
  int priority = 0;  // those with a higher one begin before others, and are interrupted after them when memory is short
  std::optional<std::chrono::steady_clock::time_point> deadline;  // when the request ends, in whatever state it is
};

enum class FinishReason {
  stop_token,    // the model ended its turn
  stop_string,   // one of GenerateOptions::stop came up
  max_tokens,    // GenerateOptions::max_tokens were made
  context_full,  // the session holds as many tokens as it can
  cancelled,     // the cancel flag was set, the callback returned false, or the ticket or the engine was destroyed
  deadline,      // GenerateOptions::deadline has passed
};

// "stop_token", …
std::string_view to_string(FinishReason reason);

struct GenerateStats {
  int prompt_tokens = 0;           // of the prompt, cached ones included, dropped ones not
  int dropped_tokens = 0;          // of the prompt, by GenerateOptions::keep_head
  int cached_tokens = 0;           // of the prompt, found in the cache and not computed again
  int generated_tokens = 0;        // the ending token not counted
  int preemptions = 0;             // how often the request was interrupted because others needed the memory
  double queue_seconds = 0;        // from the call to the request's turn
  double prefill_seconds = 0;      // from then to the first token
  double decode_seconds = 0;       // from the first token to the last
  double longest_gap_seconds = 0;  // between two tokens

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
  int64_t active_bytes = 0;  // read to compute one token: without unused experts and the table of embeddings
  int experts = 0;           // in a layer that has some; 0: none
  int model_context = 0;     // tokens that the model was trained for
  int context = 0;           // tokens that a session can hold
  int64_t kv_bytes_per_token = 0;
  int threads = 0;
  std::string device;           // "cpu" or "gpu"
  std::string kernels;          // "fast", "float", "mlx" or "cuda"
  std::string instruction_set;  // of emelex's own kernels: "avx512", "avx2", "scalar"; "sm_90"
  std::string not_cuda;         // why the cuda kernels, which would be used here, can't compute the model; else empty
};

// Counters of an engine, from its beginning on, and what is under way.
struct EngineStats {
  int running = 0;       // requests
  int waiting = 0;       // requests
  int64_t finished = 0;  // requests, those that failed or were cancelled among them
  int64_t steps = 0;
  int64_t prompt_tokens = 0;  // of prompts that began, those from the cache among them
  int64_t cached_tokens = 0;
  int64_t generated_tokens = 0;
  int64_t preemptions = 0;
  int64_t kept_cache_bytes = 0;  // of the cache, that no running request uses
};

// Takes the next piece of text, on the thread that called generate(). A piece is never empty, has whole UTF-8
// characters and no part of a stop string. Returns false to stop.
using TextCallback = std::function<bool(std::string_view text)>;

// What a request says of itself: text any number of times, then one of the others, then nothing more.
struct Event {
  enum class Kind { text, finished, failed };
  Kind kind = Kind::text;
  std::string text;            // text: the next of it; as for TextCallback
  GenerateResult result;       // finished; its text is all that came before
  std::optional<Error> error;  // failed; what Engine::generate would throw
};

// Takes events on the engine's thread. Must return at once: while it runs, nothing is computed. It may call submit()
// and Ticket::cancel(), and not wait for anything. When it throws, its request is cancelled and it is not called again.
using EventSink = std::function<void(Event event)>;

// A request under way. Its end cancels the request. Any thread may call its methods, but one at a time takes events. It
// may outlive its engine.
class Ticket {
 public:
  virtual ~Ticket() = default;  // never waits, never fails
  // Waits for the next event. Nothing: the last one was taken before. A request whose text nobody takes is held once
  // 64 KB of it wait, and others go on. Not for requests with a sink.
  virtual std::optional<Event> next() = 0;
  virtual std::optional<Event> try_next() = 0;  // the same without waiting; also nothing where there is none yet
  // Ends the request within a step of the model, wherever it is. Its last event says `cancelled` then.
  virtual void cancel() noexcept = 0;
  // How many requests are before it; 0: it is running, or has ended. As of the last step.
  virtual int position() const noexcept = 0;
};

// A conversation. The engine's cache remembers what was computed for it, so that of a prompt which begins with that
// only the rest is computed. Others whose prompts begin the same share it. A session must not outlive its engine. Only
// one thread may use it at a time.
class Session {
 public:
  virtual ~Session() = default;    // never waits, never fails
  virtual int length() const = 0;  // tokens computed at the end of the last generation; the cache may have dropped some
  virtual void clear() = 0;        // begins a new conversation: length() is 0
};

// A loaded model. Any thread may call its methods. Requests are computed together: one that comes joins the next step.
// Its end cancels all requests.
class Engine {
 public:
  virtual ~Engine() = default;

  // Loads a model from a .gguf file (of a split model, its first file) or a folder of SafeTensors. Throws Error, and
  // nothing else, when it can't be read or run. ErrorCode says which.
  static std::unique_ptr<Engine> load(const std::filesystem::path& path, const LoadOptions& options = {});

  virtual const ModelInfo& info() const = 0;
  virtual const Tokenizer& tokenizer() const = 0;

  // The model's chat template. Where the model has none, a built-in one (ChatTemplate::built_in). Where emelex can't
  // read it, using it throws Error with the reason, and raw prompts still work.
  virtual const ChatTemplate& chat_template() const = 0;

  // What the model's files recommend. generate() does not use it: a caller puts it into GenerateOptions.
  virtual const SamplingDefaults& sampling_defaults() const = 0;

  // What was left out of the model's files or looks wrong in them, a line each, for people. Lines may quote the files.
  virtual const std::vector<std::string>& warnings() const = 0;

  // The ids of a conversation, ready for an answer. Throws what ChatTemplate::render_segments does.
  std::vector<TokenId> chat_prompt(const std::vector<Message>& messages, const ChatOptions& options = {}) const;

  // The ids of a text without a template, for a raw completion. They begin with the begin-of-sequence token where the
  // model wants one.
  std::vector<TokenId> raw_prompt(std::string_view text) const;

  // Begins to compute the prompt and to generate until one of FinishReason. Never waits. What it says comes from the
  // ticket; `on_event`, if any, is called when the ticket has an event where none was, on any thread, and must return
  // at once. GenerateOptions::cancel must outlive the request. Throws Error(invalid_argument) as generate() does,
  // Error(busy) when `max_running` and `max_waiting` requests are open already, and Error(out_of_memory).
  virtual std::unique_ptr<Ticket> submit(std::vector<TokenId> prompt, const GenerateOptions& options,
                                         std::function<void()> on_event = {}) = 0;
  // The same with events given to `sink`. The ticket is for cancelling.
  virtual std::unique_ptr<Ticket> submit_to(EventSink sink, std::vector<TokenId> prompt,
                                            const GenerateOptions& options) = 0;

  // What the engine has done so far, and what it does now. Does not wait.
  virtual EngineStats stats() const = 0;

  // A new, empty session. Does not wait for the work under way. Throws Error(out_of_memory).
  virtual std::unique_ptr<Session> new_session() = 0;

  // submit(), and then waits for the end. `on_text` may be empty. Afterwards, also after an error, the session may be
  // used again. Throws Error:
  //   invalid_argument: the prompt is empty, has an id out of range or does not fit in the context (nothing is ever cut
  //     off silently), an option is out of its range, or the session is another engine's;
  //   corrupt_file: the weights give no usable logits;
  //   busy: too many requests are open;
  //   out_of_memory, device, internal: the computation failed.
  // An exception of `on_text` is thrown again from here once the generation has ended.
  virtual GenerateResult generate(Session& session, std::span<const TokenId> prompt, const GenerateOptions& options,
                                  const TextCallback& on_text) = 0;
};

// "0.1.0"
std::string_view version();

// What this build runs on, for people.
struct BuildInfo {
  std::string version;               // emelex
  std::string mlx_version;           // of the library loaded
  std::string instruction_set;       // chosen for this CPU
  std::vector<std::string> devices;  // "cpu", "gpu"
};
BuildInfo build_info();

}  // namespace emelex

// Measures llama.cpp as `emelex bench` measures emelex: one run that is not counted, then one that is. A program of its
// own, so that nothing of Python counts in its memory and in its time to the first token.
//
//     llama_cpp_peer version
//     llama_cpp_peer MODEL THREADS (prompt | generate) TOKENS DEPTH SEQUENCES    prints tokens a second
//     llama_cpp_peer MODEL THREADS first TEXT TOKENS                             prints the token that follows the text

#include <ggml.h>
#include <llama.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

constexpr int kBatch = 512;

[[noreturn]] void fail(const std::string& message) {
  std::fprintf(stderr, "llama_cpp_peer: %s\n", message.c_str());
  std::exit(1);
}

struct Peer {
  llama_model* model;
  llama_context* context;
  const llama_vocab* vocab;
  int vocab_size;

  // At llama.cpp's defaults, but for the threads and the room that the test needs.
  Peer(const char* path, int threads, int room, int sequences) {
    llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
    llama_backend_init();
    model = llama_model_load_from_file(path, llama_model_default_params());
    if (model == nullptr) fail(std::string("cannot load ") + path);
    llama_context_params parameters = llama_context_default_params();
    parameters.n_ctx = static_cast<uint32_t>(room * sequences);
    parameters.n_batch = parameters.n_ubatch = kBatch;
    parameters.n_seq_max = static_cast<uint32_t>(sequences);
    parameters.n_threads = parameters.n_threads_batch = threads;
    context = llama_init_from_model(model, parameters);
    if (context == nullptr) fail("cannot make a context");
    vocab = llama_model_get_vocab(model);
    vocab_size = llama_vocab_n_tokens(vocab);
  }

  void decode(llama_batch batch) {
    if (llama_decode(context, batch) != 0) fail("llama_decode failed");
  }

  void append(std::vector<llama_token> tokens) {
    for (size_t at = 0; at < tokens.size(); at += kBatch) {
      const auto count = static_cast<int32_t>(std::min<size_t>(kBatch, tokens.size() - at));
      decode(llama_batch_get_one(tokens.data() + at, count));
    }
    llama_synchronize(context);
  }

  std::vector<llama_token> some_tokens(int count) const {
    std::vector<llama_token> tokens(static_cast<size_t>(count));
    for (size_t i = 0; i < tokens.size(); ++i)
      tokens[i] = static_cast<llama_token>((i * 7919 + 13) % static_cast<size_t>(vocab_size));
    return tokens;
  }

  llama_token likeliest(int row) const {
    const float* logits = llama_get_logits_ith(context, row);
    return static_cast<llama_token>(std::max_element(logits, logits + vocab_size) - logits);
  }

  // The likeliest token goes on, in every sequence.
  void generate(int count, int depth, int sequences) {
    std::vector<llama_token> tokens = some_tokens(sequences);
    llama_batch batch = llama_batch_init(sequences, 0, 1);
    for (int i = 0; i < count; ++i) {
      batch.n_tokens = sequences;
      for (int s = 0; s < sequences; ++s) {
        batch.token[s] = tokens[static_cast<size_t>(s)];
        batch.pos[s] = depth + i;
        batch.n_seq_id[s] = 1;
        batch.seq_id[s][0] = s;
        batch.logits[s] = 1;
      }
      decode(batch);
      for (int s = 0; s < sequences; ++s) tokens[static_cast<size_t>(s)] = likeliest(s);
    }
    llama_batch_free(batch);
  }

  void trim(int depth, int sequences) {
    for (int s = 0; s < sequences; ++s) llama_memory_seq_rm(llama_get_memory(context), s, depth, -1);
  }
};

double rate(const char* path, int threads, bool prompt, int count, int depth, int sequences) {
  Peer peer(path, threads, depth + count + 1, sequences);
  peer.append(peer.some_tokens(depth));
  for (int s = 1; depth > 0 && s < sequences; ++s) llama_memory_seq_cp(llama_get_memory(peer.context), 0, s, -1, -1);
  double seconds = 0;
  for (int run = 0; run < 2; ++run) {
    peer.trim(depth, sequences);
    const auto begin = std::chrono::steady_clock::now();
    if (prompt) {
      peer.append(peer.some_tokens(count));
    } else {
      peer.generate(count, depth, sequences);
    }
    seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  return count * sequences / seconds;
}

void first_token(const char* path, int threads, const std::string& text, int expected) {
  Peer peer(path, threads, kBatch, 1);
  std::vector<llama_token> tokens(kBatch);
  const int count =
      llama_tokenize(peer.vocab, text.data(), static_cast<int32_t>(text.size()), tokens.data(), kBatch, true, false);
  if (count != expected) fail("a prompt of " + std::to_string(expected) + " tokens became " + std::to_string(count));
  tokens.resize(static_cast<size_t>(count));
  peer.append(tokens);
  char piece[256];
  const int length = llama_token_to_piece(peer.vocab, peer.likeliest(-1), piece, sizeof piece, 0, true);
  std::printf("%.*s\n", std::max(length, 0), piece);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "version") == 0) {
    std::printf("%s\n", ggml_version());
    return 0;
  }
  const std::string kind = argc > 3 ? argv[3] : "";
  if (kind == "first" && argc == 6) {
    first_token(argv[1], std::atoi(argv[2]), argv[4], std::atoi(argv[5]));
  } else if ((kind == "prompt" || kind == "generate") && argc == 7) {
    std::printf("%.6f\n", rate(argv[1], std::atoi(argv[2]), kind == "prompt", std::atoi(argv[4]), std::atoi(argv[5]),
                               std::atoi(argv[6])));
  } else {
    fail("wrong arguments; the source says which");
  }
  std::fflush(stdout);
  std::_Exit(0);  // as a process that has answered; taking the model apart is not measured
}

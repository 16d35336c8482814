#include "tools/evaluate.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/expect_error.h"
#include "base/temporary_folder.h"
#include "engine/runner.h"
#include "engine/tiny_model.h"
#include "text/files/tokenizer_factory.h"
#include "tools/prediction_stats.h"
#include "weights/gguf/gguf_writer.h"

namespace emelex {
namespace {

constexpr int kContext = 20;
constexpr int kHalf = kContext / 2;

// Some 300 characters, each about a token.
std::string some_text() {
  std::string text;
  for (int i = 0; i < 12; ++i) text += "hello world, this is line " + std::to_string(i * 7919) + "\n";
  return text;
}

struct Fixture {
  Fixture() {
    test::write_random_model(path, {});
    test::TinyModel other;
    other.seed = 2;
    test::write_random_model(other_path, other);
    options.context = kContext;
    options.load.threads = 1;
  }

  EvaluateReport run(const std::string& text = some_text()) const { return evaluate(path, text, options, {}); }

  TemporaryFolder folder;
  std::filesystem::path path = folder.path() / "tiny.gguf";
  std::filesystem::path other_path = folder.path() / "other.gguf";
  EvaluateOptions options;
};

// The same model with other metadata.
template <class Change>
void rewrite(const std::filesystem::path& path, const Change& change) {
  const auto weights = open_weights(path);
  Metadata metadata = weights->metadata();
  change(metadata);
  GgufWriter file;
  for (const auto& [key, value] : metadata.values()) file.add_value(key, value);
  for (const auto& [name, tensor] : weights->tensors()) {
    file.add_tensor(name, tensor.type, tensor.shape, std::vector<std::byte>(tensor.data.begin(), tensor.data.end()));
  }
  file.write(path);
}

// ln of the probabilities of every token after every token of one chunk, each computed alone: [context][vocab].
std::vector<std::vector<long double>> log_probabilities(Runner& runner, const std::vector<TokenId>& tokens) {
  std::vector<std::vector<long double>> rows;
  const SequenceId sequence = runner.cache().create();
  for (const TokenId token : tokens) {
    const auto logits = runner.append(sequence, {&token, 1});
    long double sum = 0;
    for (const float x : logits) sum += std::exp(static_cast<long double>(x));
    std::vector<long double> row;
    for (const float x : logits) row.push_back(static_cast<long double>(x) - std::log(sum));
    rows.push_back(std::move(row));
  }
  runner.cache().release(sequence);
  return rows;
}

struct Direct {
  double nll = 0;
  double kl = 0;
  double same_top = 0;
  double squared_delta_p = 0;
  int chunks = 0;
  int predictions = 0;
};

// What eval measures, by its definition. `bos` replaces the first token of each chunk, if there is one.
Direct measure_directly(const Fixture& f, TokenId bos = -1) {
  LoadOptions load;
  load.threads = 1;
  const auto weights = open_weights(f.path);
  Runner own(weights, load);
  Runner other(open_weights(f.other_path), load);
  auto tokens = make_tokenizer(weights->metadata())->encode(some_text(), SpecialTokens::as_text);
  if (bos >= 0) tokens.insert(tokens.begin(), bos);
  Direct direct;
  for (size_t begin = 0; begin + kContext <= tokens.size(); begin += kContext) {
    std::vector<TokenId> chunk(tokens.begin() + static_cast<std::ptrdiff_t>(begin),
                               tokens.begin() + static_cast<std::ptrdiff_t>(begin + kContext));
    if (bos >= 0) chunk[0] = bos;
    const auto q = log_probabilities(own, chunk);
    const auto p = log_probabilities(other, chunk);
    for (size_t at = kHalf; at + 1 < kContext; ++at) {
      const auto next = static_cast<size_t>(chunk[at + 1]);
      direct.nll -= static_cast<double>(q[at][next]);
      for (size_t i = 0; i < q[at].size(); ++i) {
        direct.kl += static_cast<double>(std::exp(p[at][i]) * (p[at][i] - q[at][i]));
      }
      const auto top = [](const auto& row) { return std::max_element(row.begin(), row.end()) - row.begin(); };
      direct.same_top += top(p[at]) == top(q[at]) ? 1 : 0;
      direct.squared_delta_p += static_cast<double>(std::pow(std::exp(q[at][next]) - std::exp(p[at][next]), 2.0L));
      ++direct.predictions;
    }
    ++direct.chunks;
  }
  for (double* sum : {&direct.nll, &direct.kl, &direct.same_top, &direct.squared_delta_p}) *sum /= direct.predictions;
  return direct;
}

TEST_CASE("perplexity is that of the second halves of chunks that know nothing of each other") {
  const Fixture f;
  const Direct direct = measure_directly(f);
  const auto report = f.run();
  CHECK(report.chunks == direct.chunks);
  CHECK(report.chunks_wanted == direct.chunks);
  CHECK(report.predictions == direct.predictions);
  CHECK(report.predictions == direct.chunks * (kContext - kHalf - 1));
  CHECK(report.text_tokens >= direct.chunks * kContext);
  CHECK(report.perplexity.nll.mean == doctest::Approx(direct.nll).epsilon(1e-9));
  CHECK(report.perplexity.value == doctest::Approx(std::exp(direct.nll)).epsilon(1e-9));
  CHECK(report.perplexity.error == doctest::Approx(report.perplexity.value * report.perplexity.nll.error));
  CHECK(report.perplexity.error > 0);
  CHECK(!report.cancelled);
  CHECK(!report.comparison);
}

TEST_CASE("each chunk begins with the begin-of-sequence token where the model wants one") {
  const Fixture f;
  rewrite(f.path, [](Metadata& metadata) { metadata.add("tokenizer.ggml.add_bos_token", true); });
  const TokenId bos = make_tokenizer(open_weights(f.path)->metadata())->bos();
  CHECK(f.run().perplexity.nll.mean == doctest::Approx(measure_directly(f, bos).nll).epsilon(1e-9));
}

TEST_CASE("a model is compared with another on the same tokens") {
  Fixture f;
  f.options.against = f.other_path;
  const Direct direct = measure_directly(f);
  const auto report = f.run();
  REQUIRE(report.comparison);
  const Comparison& comparison = *report.comparison;
  CHECK(comparison.kl.mean == doctest::Approx(direct.kl).epsilon(1e-9));
  CHECK(comparison.same_top == doctest::Approx(direct.same_top));
  CHECK(comparison.rms_delta_p == doctest::Approx(std::sqrt(direct.squared_delta_p)).epsilon(1e-9));
  CHECK(comparison.kl.error > 0);
  CHECK(comparison.kl_median > 0);
  CHECK(comparison.kl_median <= comparison.kl_90);
  CHECK(comparison.kl_90 <= comparison.kl_99);
  CHECK(comparison.kl_99 <= comparison.kl_999);
  CHECK(comparison.kl_999 <= comparison.kl_max);

  std::swap(f.path, f.other_path);
  f.options.against.clear();
  CHECK(comparison.other.value == f.run().perplexity.value);
  CHECK(comparison.ratio.mean == doctest::Approx(report.perplexity.value / comparison.other.value).epsilon(1e-12));
}

TEST_CASE("a model does not differ from itself") {
  Fixture f;
  f.options.against = f.path;
  const Comparison comparison = f.run().comparison.value();
  CHECK(comparison.kl.mean < 1e-15);
  CHECK(comparison.kl_max < 1e-15);
  CHECK(comparison.same_top == 1);
  CHECK(comparison.rms_delta_p == 0);
  CHECK(comparison.ratio.mean == 1);
  CHECK(comparison.ratio.error == 0);
}

TEST_CASE("a model is compared with itself on other kernels") {
  Fixture f;
  f.options.load.kernels = KernelBackend::fast;
  f.options.against_kernels = KernelBackend::float32;
  const auto report = f.run();
  REQUIRE(report.comparison);
  CHECK(report.model.kernels == "fast");
  CHECK(report.other->kernels == "float");
  CHECK(report.comparison->kl.mean < 1e-4);  // float32 weights, but numbers of 16 bits in the cache
}

TEST_CASE("as many chunks are measured as are wanted, and what was done is kept when it is cancelled") {
  Fixture f;
  f.options.chunks = 3;
  const auto three = f.run();
  CHECK(three.chunks == 3);
  CHECK(three.chunks_wanted == 3);

  f.options.chunks = 0;
  std::atomic<bool> cancel{false};
  f.options.cancel = &cancel;
  std::vector<EvaluateProgress> seen;
  const auto report = evaluate(f.path, some_text(), f.options, [&](const EvaluateProgress& progress) {
    seen.push_back(progress);
    cancel = progress.chunk == 3;
  });
  CHECK(report.cancelled);
  CHECK(report.chunks == 3);
  CHECK(report.chunks_wanted > 3);
  CHECK(report.perplexity.value == three.perplexity.value);
  REQUIRE(seen.size() == 3);
  CHECK(seen[2].perplexity == report.perplexity.value);
  CHECK(seen[0].chunks == report.chunks_wanted);
}

TEST_CASE("what can't be measured is refused") {
  Fixture f;
  const auto refused = [&](std::initializer_list<std::string_view> parts, const std::string& text) {
    expect_error(ErrorCode::invalid_argument, parts, [&] { f.run(text); });
  };
  refused({"[eval]", "at least 20 tokens", "got 5"}, "xyzuv");
  refused({"[eval]", "got 0"}, "");
  f.options.context = 3;
  refused({"[eval]", "at least 4", "got 3"}, some_text());
  f.options.context = 129;
  refused({"128", "129"}, some_text());
  f.options.context = kContext;
  f.options.chunks = -1;
  refused({"[eval]", "-1"}, some_text());
}

TEST_CASE("models whose vocabularies differ are not compared") {
  Fixture f;
  f.options.against = f.other_path;
  const auto refused = [&](std::initializer_list<std::string_view> parts) {
    expect_error(ErrorCode::invalid_argument, parts, [&] { f.run(); });
  };
  rewrite(f.other_path, [](Metadata& metadata) {
    auto tokens = *metadata.strings("tokenizer.ggml.tokens");
    tokens[267] = "<fool>";
    metadata.remove("tokenizer.ggml.tokens");
    metadata.add("tokenizer.ggml.tokens", tokens);
  });
  refused({"same vocabulary", "token 267", "'<tool>'", "tiny.gguf", "'<fool>'", "other.gguf"});

  test::TinyModel larger;
  larger.extra_rows = 4;
  test::write_random_model(f.other_path, larger);
  refused({"same vocabulary", "268 tokens", "272"});
}

TEST_CASE("a model without a tokenizer is measured with that of the other") {
  Fixture f;
  f.options.against = f.other_path;
  const double expected = f.run().perplexity.value;
  rewrite(f.path, [](Metadata& metadata) {
    for (const char* key : {"model", "pre", "tokens", "merges", "token_type", "bos_token_id", "eos_token_id"}) {
      metadata.remove(std::string("tokenizer.ggml.") + key);
    }
  });
  CHECK(f.run().perplexity.value == expected);
  f.options.against.clear();
  expect_error(ErrorCode::corrupt_file, {"tokenizer.ggml.model"}, [&] { f.run(); });
}

TEST_CASE("damaged weights give an error and no number") {
  const std::vector<float> row = {1.0F, std::nanf(""), 2.0F};
  expect_error(ErrorCode::corrupt_file, {"[eval]", "finite"}, [&] { (void)Prediction(row); });
  const std::vector<float> infinite = {1.0F, INFINITY};
  expect_error(ErrorCode::corrupt_file, {"[eval]", "finite"}, [&] { (void)Prediction(infinite); });
}

TEST_CASE("probabilities of large logits neither overflow nor lose what is small") {
  const std::vector<float> row = {1e4F, 1e4F - 1, -1e4F};
  const Prediction prediction(row);
  CHECK(prediction.log_probability(0) == doctest::Approx(-std::log1p(std::exp(-1.0))));
  CHECK(prediction.log_probability(2) == doctest::Approx(-20000 - std::log1p(std::exp(-1.0))));
  CHECK(prediction.top() == 0);
}

TEST_CASE("quantiles lie between neighbours in proportion") {
  const std::vector<double> sorted = {0, 1, 2, 3, 10};
  CHECK(quantile(sorted, 0) == 0);
  CHECK(quantile(sorted, 0.5) == 2);
  CHECK(quantile(sorted, 0.9) == doctest::Approx(7.2));
  CHECK(quantile(sorted, 1) == 10);
  CHECK(quantile(std::vector<double>{4}, 0.99) == 4);
}

TEST_CASE("a mean's standard error is the sample's deviation by the root of its size") {
  RunningMean mean;
  CHECK(mean.estimate().error == 0);
  for (const double x : {1e9 + 1, 1e9 + 2, 1e9 + 6}) mean.add(x);
  CHECK(mean.estimate().mean == doctest::Approx(1e9 + 3));
  CHECK(mean.estimate().error == doctest::Approx(std::sqrt(14.0 / 2 / 3)));
}

}  // namespace
}  // namespace emelex

#include "models/reference_llama.h"

#include <cmath>

#include "quant/dequantize.h"
#include "quant/quantize.h"

namespace emelex::test {
namespace {

using Vector = std::vector<double>;

class Reference {
 public:
  explicit Reference(const TinyLlama& model) : model_(model), tensors_(model.tensors()) {
    if (model.type == TensorType::f32 && !model.mlx) return;
    for (auto& [name, shape] : model.shapes()) {
      if (shape.size() != 2) continue;
      auto& values = tensors_[name];
      if (model.mlx) {
        quantized_by_mlx(name, shape, values, *model.mlx).read_rows(0, values);
        continue;
      }
      dequantize(model.type, quantize(model.type, values), values);
    }
  }

  std::vector<double> logits(const std::vector<int>& tokens) {
    std::vector<double> all;
    keys_.assign(static_cast<size_t>(model_.n_layers), {});
    values_ = keys_;
    for (size_t t = 0; t < tokens.size(); ++t) {
      const auto row = forward(tokens[t], static_cast<int>(t));
      all.insert(all.end(), row.begin(), row.end());
    }
    return all;
  }

 private:
  Vector forward(int token, int position) {
    const auto& table = tensors_.at("token_embd.weight");
    const auto dim = static_cast<size_t>(model_.dim);
    Vector x(dim);
    for (size_t i = 0; i < dim; ++i) x[i] = static_cast<double>(table[static_cast<size_t>(token) * dim + i]);
    for (int layer = 0; layer < model_.n_layers; ++layer) {
      block_ = "blk." + std::to_string(layer) + ".";
      add(x, attention(norm(x, block_ + "attn_norm.weight"), layer, position));
      const auto normed = norm(x, block_ + "ffn_norm.weight");
      auto gate = multiply(block_ + "ffn_gate.weight", normed);
      const auto up = multiply(block_ + "ffn_up.weight", normed);
      for (size_t i = 0; i < gate.size(); ++i) gate[i] = gate[i] / (1.0 + std::exp(-gate[i])) * up[i];
      add(x, multiply(block_ + "ffn_down.weight", gate));
    }
    return multiply(model_.tied ? "token_embd.weight" : "output.weight", norm(x, "output_norm.weight"));
  }

  Vector attention(const Vector& x, int layer, int position) {
    const auto head_dim = static_cast<size_t>(model_.head_dim);
    Vector q = multiply(block_ + "attn_q.weight", x);
    Vector k = multiply(block_ + "attn_k.weight", x);
    rotate(q, position);
    rotate(k, position);
    auto& keys = keys_[static_cast<size_t>(layer)];
    auto& values = values_[static_cast<size_t>(layer)];
    keys.push_back(k);
    values.push_back(multiply(block_ + "attn_v.weight", x));

    Vector out(q.size());
    for (int head = 0; head < model_.n_heads; ++head) {
      const size_t at = static_cast<size_t>(head) * head_dim;
      const size_t kv_at = static_cast<size_t>(head / (model_.n_heads / model_.n_kv_heads)) * head_dim;
      Vector weights;
      double sum = 0;
      for (const Vector& key : keys) {
        double score = 0;
        for (size_t i = 0; i < head_dim; ++i) score += q[at + i] * key[kv_at + i];
        weights.push_back(std::exp(score / std::sqrt(static_cast<double>(head_dim))));
        sum += weights.back();
      }
      for (size_t p = 0; p < weights.size(); ++p) {
        for (size_t i = 0; i < head_dim; ++i) out[at + i] += weights[p] / sum * values[p][kv_at + i];
      }
    }
    return multiply(block_ + "attn_output.weight", out);
  }

  // Neighbouring pairs of each head turn, as GGUF's Llama files want it.
  void rotate(Vector& heads, int position) const {
    for (size_t head = 0; head < heads.size(); head += static_cast<size_t>(model_.head_dim)) {
      for (int i = 0; i < model_.rope_dim / 2; ++i) {
        double frequency = std::pow(static_cast<double>(model_.rope_base), -2.0 * i / model_.rope_dim);
        if (model_.rope_factors)
          frequency /= static_cast<double>(tensors_.at("rope_freqs.weight")[static_cast<size_t>(i)]);
        const double c = std::cos(position * frequency);
        const double s = std::sin(position * frequency);
        double& a = heads[head + static_cast<size_t>(2 * i)];
        double& b = heads[head + static_cast<size_t>(2 * i + 1)];
        const double turned = a * c - b * s;
        b = a * s + b * c;
        a = turned;
      }
    }
  }

  Vector norm(const Vector& x, const std::string& name) const {
    double squares = 0;
    for (const double v : x) squares += v * v;
    const double scale =
        1.0 / std::sqrt(squares / static_cast<double>(x.size()) + static_cast<double>(model_.norm_eps));
    const auto& weight = tensors_.at(name);
    Vector out(x.size());
    for (size_t i = 0; i < x.size(); ++i) out[i] = x[i] * scale * static_cast<double>(weight[i]);
    return out;
  }

  Vector multiply(const std::string& name, const Vector& x) const {
    const auto& matrix = tensors_.at(name);
    Vector out(matrix.size() / x.size());
    for (size_t r = 0; r < out.size(); ++r) {
      for (size_t c = 0; c < x.size(); ++c) out[r] += static_cast<double>(matrix[r * x.size() + c]) * x[c];
    }
    return out;
  }

  static void add(Vector& x, const Vector& y) {
    for (size_t i = 0; i < x.size(); ++i) x[i] += y[i];
  }

  const TinyLlama& model_;
  std::map<std::string, std::vector<float>> tensors_;
  std::vector<std::vector<Vector>> keys_;  // [layers][positions]
  std::vector<std::vector<Vector>> values_;
  std::string block_;
};

}  // namespace

std::vector<double> reference_logits(const TinyLlama& model, const std::vector<int>& tokens) {
  return Reference(model).logits(tokens);
}

double relative_l2(const std::vector<float>& a, const std::vector<double>& b) {
  double difference = 0;
  double norm = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    difference += (static_cast<double>(a.at(i)) - b[i]) * (static_cast<double>(a.at(i)) - b[i]);
    norm += b[i] * b[i];
  }
  return std::sqrt(difference / norm);
}

}  // namespace emelex::test

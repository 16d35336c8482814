#include "weights/gguf/gguf_format.h"

#include <array>

#include "base/strings.h"

namespace emelex {
namespace {

struct TypeNumber {
  uint32_t number;
  std::string_view name;
  std::optional<TensorType> type;
};

// The types of ggml that files have; the missing numbers were given up.
constexpr TypeNumber kTypeNumbers[] = {
    {0, "F32", TensorType::f32},
    {1, "F16", TensorType::f16},
    {2, "Q4_0", TensorType::q4_0},
    {3, "Q4_1", TensorType::q4_1},
    {6, "Q5_0", TensorType::q5_0},
    {7, "Q5_1", TensorType::q5_1},
    {8, "Q8_0", TensorType::q8_0},
    {9, "Q8_1", {}},
    {10, "Q2_K", TensorType::q2_k},
    {11, "Q3_K", TensorType::q3_k},
    {12, "Q4_K", TensorType::q4_k},
    {13, "Q5_K", TensorType::q5_k},
    {14, "Q6_K", TensorType::q6_k},
    {15, "Q8_K", {}},
    {16, "IQ2_XXS", TensorType::iq2_xxs},
    {17, "IQ2_XS", TensorType::iq2_xs},
    {18, "IQ3_XXS", TensorType::iq3_xxs},
    {19, "IQ1_S", TensorType::iq1_s},
    {20, "IQ4_NL", TensorType::iq4_nl},
    {21, "IQ3_S", TensorType::iq3_s},
    {22, "IQ2_S", TensorType::iq2_s},
    {23, "IQ4_XS", TensorType::iq4_xs},
    {24, "I8", {}},
    {25, "I16", {}},
    {26, "I32", {}},
    {27, "I64", {}},
    {28, "F64", {}},
    {29, "IQ1_M", TensorType::iq1_m},
    {30, "BF16", TensorType::bf16},
    {34, "TQ1_0", TensorType::tq1_0},
    {35, "TQ2_0", TensorType::tq2_0},
    {39, "MXFP4", TensorType::mxfp4},
    {40, "NVFP4", {}},
    {41, "Q1_0", {}},
    {42, "Q2_0", {}},
};

const TypeNumber* find_number(uint32_t number) {
  for (const TypeNumber& known : kTypeNumbers) {
    if (known.number == number) return &known;
  }
  return nullptr;
}

}  // namespace

int gguf_number_bytes(uint32_t type) {
  switch (static_cast<GgufType>(type)) {
    case GgufType::uint8:
    case GgufType::int8:
      return 1;
    case GgufType::uint16:
    case GgufType::int16:
      return 2;
    case GgufType::uint32:
    case GgufType::int32:
    case GgufType::float32:
      return 4;
    case GgufType::uint64:
    case GgufType::int64:
    case GgufType::float64:
      return 8;
    default:
      return 0;
  }
}

std::optional<TensorType> tensor_type_of_gguf(uint32_t number) {
  const TypeNumber* known = find_number(number);
  return known == nullptr ? std::nullopt : known->type;
}

uint32_t gguf_number_of(TensorType type) {
  for (const TypeNumber& known : kTypeNumbers) {
    if (known.type == type) return known.number;
  }
  __builtin_unreachable();  // the table has every type
}

std::string gguf_tensor_type_text(uint32_t number) {
  const TypeNumber* known = find_number(number);
  return known == nullptr ? str_cat("type ", number) : str_cat(known->name, " (type ", number, ")");
}

std::string gguf_tensor_types_known() {
  std::string result;
  for (const TypeNumber& known : kTypeNumbers) {
    if (known.type) result += str_cat(result.empty() ? "" : ", ", known.name);
  }
  return result;
}

}  // namespace emelex

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
    {6, "Q5_0", {}},
    {7, "Q5_1", {}},
    {8, "Q8_0", TensorType::q8_0},
    {9, "Q8_1", {}},
    {10, "Q2_K", {}},
    {11, "Q3_K", {}},
    {12, "Q4_K", {}},
    {13, "Q5_K", {}},
    {14, "Q6_K", {}},
    {15, "Q8_K", {}},
    {16, "IQ2_XXS", {}},
    {17, "IQ2_XS", {}},
    {18, "IQ3_XXS", {}},
    {19, "IQ1_S", {}},
    {20, "IQ4_NL", {}},
    {21, "IQ3_S", {}},
    {22, "IQ2_S", {}},
    {23, "IQ4_XS", {}},
    {24, "I8", {}},
    {25, "I16", {}},
    {26, "I32", {}},
    {27, "I64", {}},
    {28, "F64", {}},
    {29, "IQ1_M", {}},
    {30, "BF16", TensorType::bf16},
    {34, "TQ1_0", {}},
    {35, "TQ2_0", {}},
    {39, "MXFP4", {}},
    {40, "NVFP4", {}},
    {41, "Q1_0", {}},
};

const TypeNumber* find_number(uint32_t number) {
  for (const TypeNumber& known : kTypeNumbers) {
    if (known.number == number) return &known;
  }
  return nullptr;
}

}  // namespace

std::optional<TensorType> tensor_type_of_gguf(uint32_t number) {
  const TypeNumber* known = find_number(number);
  return known == nullptr ? std::nullopt : known->type;
}

uint32_t gguf_number_of(TensorType type) {
  switch (type) {
    case TensorType::f32:
      return 0;
    case TensorType::f16:
      return 1;
    case TensorType::q4_0:
      return 2;
    case TensorType::q4_1:
      return 3;
    case TensorType::q8_0:
      return 8;
    case TensorType::bf16:
      return 30;
  }
  __builtin_unreachable();
}

std::string gguf_tensor_type_text(uint32_t number) {
  const TypeNumber* known = find_number(number);
  return known == nullptr ? str_cat("type ", number) : str_cat(known->name, " (type ", number, ")");
}

}  // namespace emelex

#pragma once

#include <string_view>

#include "emelex/error.h"
#include "fuzz/expect.h"
#include "weights/weights.h"

// What holds for every reader of hostile bytes.
namespace emelex::fuzz {

// The error is the file's fault and said in one short line.
void check_error(const Error& error);

// Runs `fn`, which may throw such an Error. Returns whether it did not.
template <class Fn>
bool may_throw_error(const Fn& fn) {
  try {
    fn();
    return true;
  } catch (const Error& error) {
    check_error(error);
    return false;
  }
}

// Every key, as every type.
void ask_for_everything(const Metadata& metadata);

// All of a tensor's numbers, row by row.
void read_everything(const Tensor& tensor);

}  // namespace emelex::fuzz

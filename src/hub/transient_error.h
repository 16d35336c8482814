#pragma once

#include <optional>
#include <string>

#include "emelex/error.h"

namespace emelex {

// A failure of the network or of a server that another try may mend.
class TransientError : public Error {
 public:
  explicit TransientError(const std::string& message, std::optional<double> wait_seconds = {})
      : Error(ErrorCode::network, message), wait_seconds_(wait_seconds) {}

  // What a server asked for that has had too many requests.
  std::optional<double> wait_seconds() const { return wait_seconds_; }

 private:
  std::optional<double> wait_seconds_;
};

}  // namespace emelex

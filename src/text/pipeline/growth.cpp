#include "text/pipeline/growth.h"

#include "base/strings.h"
#include "emelex/error.h"

namespace emelex {

void check_growth(size_t before, size_t after) {
  if (after / kMostGrowth <= before || after <= kGrowthOfAnyText) return;
  throw Error(ErrorCode::unsupported, str_cat("[tokenizer] expected its steps to make at most ", kMostGrowth,
                                              " bytes of each of a text's, got ", after, " of ", before));
}

}  // namespace emelex

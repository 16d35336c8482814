#pragma once

#include <map>

namespace emelex {

// Says how many tokens of prompts a step may have beside texts that are being generated, from what steps took before.
class StepClock {
 public:
  // `budget`: seconds that a step may take; 0: a tenth, or twice what it takes without prompts. `most`: tokens of
  // prompts in any step.
  StepClock(double budget, int most) : budget_(budget), most_(most) {}

  // Tokens of prompts that fit into a step with so many generated tokens; 0 until one without prompts was measured.
  int prompt_tokens(int generated) const;
  void took(double seconds, int generated, int prompt_tokens);

 private:
  double without_prompts(int generated) const;  // seconds; 0: not known

  double budget_;
  int most_;
  std::map<int, double> seconds_;  // of steps without prompts, by generated tokens
  double per_prompt_token_ = 0;    // seconds beside generated tokens; 0: not known
  int last_ = 0;                   // tokens of prompts in the last step
};

}  // namespace emelex

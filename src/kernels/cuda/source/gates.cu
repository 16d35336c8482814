// Functions after which two products become one (GateKind).

DEVICE float silu(float x) { return x / (1.0f + expf(-x)); }
DEVICE float gelu_of(float x) {
  const float u = 0.79788456080286536f * (x + 0.044715f * x * x * x);
  return x / (1.0f + expf(-2.0f * u));
}
DEVICE float gated(int kind, float gate, float up) {
  if (kind == GATE_SILU) return silu(gate) * up;
  if (kind == GATE_GELU) return gelu_of(gate) * up;
  const float g = fminf(gate, 7.0f);
  const float u = fminf(fmaxf(up, -7.0f), 7.0f);
  return g / (1.0f + expf(-1.702f * g)) * (u + 1.0f);
}

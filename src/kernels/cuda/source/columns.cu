// Rows of COLUMNS values, a multiple of 4.

#define COLUMN_TILES ((COLUMNS + TILE_COLUMNS - 1) / TILE_COLUMNS)

// Four values of a row from `column` on, zeros past its end.
DEVICE float4 input_at(const float* row, int column) {
  return column < COLUMNS ? *(const float4*)(row + column) : make_float4(0, 0, 0, 0);
}

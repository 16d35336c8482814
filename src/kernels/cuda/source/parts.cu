// Matrices that lie one under the other (ProductParts).

// The part that a row tile belongs to.
DEVICE int part_of(const ProductParts& parts, int row_tile) {
  int part = 0;
  while (part + 1 < parts.count && row_tile >= parts.first_tile[part + 1]) ++part;
  return part;
}

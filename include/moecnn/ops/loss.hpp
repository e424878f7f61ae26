#pragma once
namespace moecnn::ops {

/// Mean over rows of -log softmax(x)[label]. Input: logits [n, classes]; labels come from the program's caller.
/// Output: one number.
struct CrossEntropy {
  int classes = 0;
};

}  // namespace moecnn::ops

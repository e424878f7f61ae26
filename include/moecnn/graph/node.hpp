#pragma once
/// \file
/// The parts of a graph: nodes are operations, edges are tensors, parameters are named specifications. All are plain
/// data that passes may read and rewrite.

#include "moecnn/core/dispatch.hpp"
#include "moecnn/core/dtype.hpp"
#include "moecnn/core/extent.hpp"
#include "moecnn/ops/channels.hpp"
#include "moecnn/ops/conv.hpp"
#include "moecnn/ops/conv_transpose.hpp"
#include "moecnn/ops/custom.hpp"
#include "moecnn/ops/detection_loss.hpp"
#include "moecnn/ops/eltwise.hpp"
#include "moecnn/ops/linear.hpp"
#include "moecnn/ops/loss.hpp"
#include "moecnn/ops/mixed_conv.hpp"
#include "moecnn/ops/norm.hpp"
#include "moecnn/ops/patch.hpp"
#include "moecnn/ops/pool.hpp"
#include "moecnn/ops/resize.hpp"
#include "moecnn/ops/route.hpp"

#include <memory>
#include <string>
#include <type_traits>
#include <vector>

namespace moecnn {

/// Every operation there is. A new operation is a struct in ops/, an alternative here and a kernel; CONTRIBUTING.md names
/// the places.
/// All are trivially copyable: what needs memory of its own belongs to nodes, edges or specifications. (A struct, so that
/// its name is short in messages and symbols.)
struct Op : std::variant<ops::Input, ops::Conv, ops::BatchNorm, ops::Linear, ops::GlobalAvgPool, ops::MaxPool,
                         ops::Relu, ops::Add, ops::ConstantScores, ops::Route, ops::Gather, ops::Combine,
                         ops::MixedConv, ops::CrossEntropy, ops::ConvTranspose, ops::ArgMaxPool, ops::MaxUnpool,
                         ops::AvgPool, ops::AdaptiveAvgPool, ops::Resize, ops::Window, ops::Concat, ops::Slice,
                         ops::Scale, ops::Activation, ops::PRelu, ops::Dropout, ops::RandomScores, ops::ToPatches,
                         ops::FromPatches, ops::Subtract, ops::Multiply, ops::Times, ops::Cast, ops::Custom,
                         ops::BinaryCrossEntropy, ops::FocalLoss, ops::BoxLoss> {
  using variant::variant;
};
static_assert(std::is_trivially_copyable_v<Op>);

inline const ops::Traits& traits_of(const Op& op) {
  return dispatch(op, [](const auto& o) -> const ops::Traits& { return o.traits; });
}

inline bool is_loss(const Op& op) { return traits_of(op).is_loss; }
/// The weight of a loss in the program's; 0 for other operations.
inline double factor_of(const Op& op) {
  return dispatch(op, [](const auto& o) -> double {
    if constexpr (requires { o.factor; })
      return o.traits.is_loss ? o.factor : 0;
    else
      return 0;
  });
}

/// A tensor between nodes: [extent.n, channels, extent.h, extent.w].
struct Edge {
  Extent extent;
  int channels = 0;
  int routing = -1;   ///< ≥ 0: rows are the slots of that routing; extent.n is their largest number, rows × k
  int producer = -1;  ///< node
  std::string name;   ///< scope in which it was made; the result of `g("layer3", …)` is named "layer3", see Alias
  DType dtype = DType::f32;  ///< of its elements, and of those of its gradient
  int expert = -1;  ///< ≥ 0: only the rows that this expert of the routing serves; extent.n is that of its rows

  long long elements() const { return static_cast<long long>(extent.n) * channels * extent.pixels(); }
};

/// A further name of an edge: the result of a layer may be that of the last layer inside it ("layer3" and "layer3.1"), and
/// a layer that has nothing to do, such as a resize to the same size, may return what it was given.
struct Alias {
  std::string name;
  int edge = -1;
  int since = 0;  ///< edges that there were when it was given
};

/// One operation. Inside a mixture `routing` ≥ 0 and `experts` is the number of experts: parameter i of expert e is
/// `params[i] + e`, and the expert works on its own slice of the rows. With `expert` ≥ 0 it is of that expert alone, and `experts` is 1.
struct Node {
  Op op;
  std::vector<int> inputs;
  int output = -1;
  std::vector<int> params;
  int routing = -1;  ///< of Route, Gather, Combine, MixedConv, and of every node inside an expert
  int experts = 1;   ///< that have parameters of this node; 1 outside of mixtures
  std::string name;
  int expert = -1;  ///< ≥ 0: works for this expert alone, in a mixture whose experts are of several types
};

enum class Init : unsigned char {
  kaiming_uniform,  ///< U(-1/√fan_in, 1/√fan_in), PyTorch's default for convolution and linear weights (a = √5)
  kaiming_normal,   ///< N(0, 2 / fan_out), torchvision's ResNet convolutions
  normal,           ///< N(0, 1)
  fan_in_uniform,   ///< U(-1/√fan_in, 1/√fan_in) for biases; fan_in given
  zeros,
  ones,
  quarter  ///< 1/4, PyTorch's start of PReLU's slopes
};

/// A parameter (trained) or buffer (not trained), by its full name.
struct ParamSpec {
  std::string name;
  std::vector<int> shape;
  Init init = Init::zeros;
  int fan_in = 0;       ///< for fan_in_uniform
  bool trained = true;  ///< false: a buffer such as running_mean
  DType dtype = DType::f32;
  int source = -1;      ///< ≥ 0: a copy of that parameter in another type, to which its gradient belongs
  bool frozen = false;  ///< a parameter that training leaves as it is: it has no gradient and no update
  double scale = 1;     ///< factor on the first values

  /// Whether training changes it.
  bool learns() const { return trained && !frozen; }
  long long elements() const {
    long long n = 1;
    for (int d : shape) n *= d;
    return n;
  }
};

/// One mixture: the policy of its Route node, and the sizes of the routing.
struct RoutingSpec {
  std::string name;  ///< layer name, e.g. "layer4", under which Program::routing() finds it
  int node = -1;     ///< the Route node
  int rows = 0, experts = 0, k = 0;
  std::shared_ptr<const RoutePolicy> policy = {};
  int state_id = -1;   ///< first of the constraint's state vectors in the parameter store
  int state_size = 0;  ///< doubles of state in all
  int group = -1;      ///< ≥ 0: the balance loss counts the rows of all routings of this group together
};

/// Weights that a pass derived from others: of a convolution and the batch norm behind it, or a copy in another
/// element type. All ids are the first of `experts`. They are computed again whenever parameters have changed.
struct Derived {
  enum class How : unsigned char { fold, cast };
  How how = How::fold;
  int weight = -1, derived_weight = -1;
  int experts = 1;
  int bias = -1, derived_bias = -1;  ///< fold; of the convolution, -1: none
  std::vector<int> norm = {};        ///< fold: weight, bias, running_mean, running_var
  double eps = 0;                    ///< fold
};

}  // namespace moecnn

#pragma once
#include "moecnn/backend/onednn/conv_primitives.hpp"
#include "moecnn/backend/onednn/conv_transpose.hpp"
#include "moecnn/backend/onednn/described.hpp"
#include "moecnn/backend/onednn/map_kernel.hpp"
#include "moecnn/backend/onednn/pass_map.hpp"
#include "moecnn/backend/onednn/row_counts.hpp"

namespace moecnn::onednn {

/// Convolution and transposed convolution by oneDNN, or where that pays in Winograd's form, which reads all weights as
/// they are stored and adds gradients where they belong. The forward pass reads the weights as they are stored, and
/// their gradient is written in the same order, so neither is ever reordered. Direct backward data reads them in
/// another order and gets a copy, made just before it runs: once per update, and still in the cache when it is read. A
/// transposed convolution swaps the forward pass and backward data; in training its weights lie as the latter wants
/// them, and the former reads a copy that is made when they change. A pass that oneDNN has no good code for with the
/// maps as they are stored reads and writes copies: in the other order of channels, or split into phases. So do all passes
/// where S, the type of the maps' elements, is Bf16: in parts that stay in the cache. Weights are floats.
template <class S>
class ConvKernelOf final : public MapKernel<S>, public Described {
 public:
  using Stored = std::shared_ptr<const WeightsLayout>;

  /// `src_blocked` and `dst_blocked`: how the edges are stored. `stored`: how the weights lie in the store; null: this
  /// node may choose. `options`: of a kernel that shares its memory with others that run at once.
  ConvKernelOf(const Graph& g, const Flow& f, int n, bool src_blocked, bool dst_blocked, Stored stored,
               const Options& options = onednn::options())
      : MapKernel<S>(g, f, n),
        op_(conv_of(node_.op)),
        dst_blocked_(dst_blocked),
        use_(conv_use(g, f, n, op_, options)) {
    const auto* transposed = std::get_if<ops::ConvTranspose>(&node_.op);
    own_bias_pass_ = transposed && transposed->bias;
    auto choice = transposed ? choose_conv(op_, out_, dst_blocked, in_[0], src_blocked, use_, stored.get(), node_.name)
                             : choose_conv(op_, in_[0], src_blocked, out_, dst_blocked, use_, stored.get(), node_.name);
    for (const Pass pass : passes) {
      const int i = static_cast<int>(pass);
      const bool src = use_.transposed ? choice.problem.dst_blocked : choice.problem.src_blocked;
      const bool dst = use_.transposed ? choice.problem.src_blocked : choice.problem.dst_blocked;
      const ConvProblem& p = choice.of(pass);
      src_[i] = PassMap(in_[0], src_blocked, src, p.phases, use_.transposed ? p.dst : p.src);
      dst_[i] = PassMap(out_, dst_blocked, dst, p.phases, use_.transposed ? p.src : p.dst);
    }
    primitives_ = ConvPrimitives(std::move(choice), use_);
    native_ = std::make_shared<WeightsLayout>(problem().shape(), this->choice().weights);
    grad_ = std::make_shared<WeightsLayout>(problem().shape(), this->choice().weights_grad);
    stored_ = stored ? std::move(stored) : use_.transposed && use_.backward_weights ? grad_ : native_;
    if (converts_weights()) to_native_ = std::make_unique<WeightsConversion>(stored_, native_);
    if (use_.backward_weights && grad_->desc() != stored_->desc())
      to_stored_ = std::make_unique<WeightsConversion>(grad_, stored_);
    if (own_bias_pass_) bias_sums_.resize(out_.channels);
    plan_scratch();
    if (options.prepare) prepare();
  }

  const ConvChoice& choice() const { return primitives_.choice(); }
  /// How the weights lie in the store.
  const Stored& weights_layout() const { return stored_; }

  /// Makes all primitives that any row count needs now and not when they are first met.
  void prepare() {
    for (const Pass pass : passes)
      if (runs(pass))
        for (const int rows : row_counts(pass)) primitives_.prepare(pass, rows);
  }

  const std::string& node_name() const override { return node_.name; }
  std::vector<std::string> implementations() const override {
    auto list = primitives_.names();
    if (data_reorder_) list.push_back("backward data: weights by " + data_reorder_->name());
    if (to_native_) list.push_back("weights: converted when they change");
    for (const Pass pass : passes) {
      if (!runs(pass)) continue;
      const std::string name = std::string(pass_names[static_cast<int>(pass)]) + ": ";
      if (const Size2 by = choice().of(pass).phases; by != 1)
        list.push_back(fmt::format("{}maps in {}x{} phases", name, by.h, by.w));
      else if (wide && (src(pass).converts() || dst(pass).converts()))
        list.push_back(name + (src(pass).converts() ? "input converted" : "output converted"));
      else if (!wide)
        list.push_back(name + "maps widened to f32");
    }
    return list;
  }

  NodeNeeds needs() const override {
    NodeNeeds n = this->plain_needs();
    n.keeps_input[0] = use_.backward_weights;
    n.scratch_forward = forward_.bytes;
    n.scratch_backward = backward_.bytes;
    if (op_.residual) n.inplace_forward = 1;
    return n;
  }

  void refresh() override {
    for (int e = 0; e < node_.experts; ++e) {
      if (to_native_) {
        own_weights_.resize(node_.experts * native_->elements());
        to_native_->run(param(0, e), own_weights_.data() + e * native_->elements());
      }
      if (pads_bias()) {
        own_bias_.resize(static_cast<std::size_t>(node_.experts) * problem().out(), 0.f);
        std::copy_n(param(1, e), op_.out, own_bias_.data() + 1LL * e * problem().out());
      }
    }
  }

  void forward(const StepContext&) override {
    this->for_each_copy([&](int copy, int first, int count) {
      const int part = part_rows(Pass::forward, count);
      for (int r = 0; r < count; r += part) forward_part(copy, first + r, std::min(part, count - r));
    });
  }

  void backward(const StepContext&) override {
    this->for_each_copy([&](int copy, int first, int count) {
      if (count == 0) return clear_grads(copy);
      converted_rows_ = 0;
      if (own_bias_pass_ && wants_param(1)) bias_gradient(copy, first, count);
      if (use_.backward_weights) backward_weights(copy, first, count);
      if (use_.backward_data) backward_data(copy, first, count);
    });
  }

 private:
  using MapKernel<S>::at, MapKernel<S>::node_, MapKernel<S>::out_, MapKernel<S>::in_, MapKernel<S>::input_mode_,
      MapKernel<S>::param_mode_, MapKernel<S>::param, MapKernel<S>::param_grad, MapKernel<S>::wants_param,
      MapKernel<S>::adds_to_param, MapKernel<S>::deliver;
  static constexpr bool wide = std::is_same_v<S, float>;

  /// Where the parts of a scratch buffer begin.
  struct Scratch {
    std::size_t bytes = 0, own = 0, own_bytes = 0;
    std::size_t src = 0, dst = 0, weights = 0, grad = 0, bias = 0, chunk = 0, sum = 0;
    std::size_t take(std::size_t n) {
      const std::size_t begin = bytes;
      bytes += (n + 63) / 64 * 64;
      return begin;
    }
  };

  static ops::Conv conv_of(const Op& op) {
    const auto* transposed = std::get_if<ops::ConvTranspose>(&op);
    return transposed ? mirrored(*transposed) : std::get<ops::Conv>(op);
  }
  const ConvProblem& problem() const { return choice().problem; }
  /// The node's input and output as the primitives of a pass have them.
  const PassMap& src(Pass pass) const { return src_[static_cast<int>(pass)]; }
  const PassMap& dst(Pass pass) const { return dst_[static_cast<int>(pass)]; }
  bool runs(Pass pass) const {
    return pass == Pass::forward || (pass == Pass::backward_data ? use_.backward_data : use_.backward_weights);
  }
  bool converts_weights() const { return stored_->desc() != native_->desc(); }
  bool pads_bias() const { return op_.bias && problem().out() != op_.out; }
  /// Backward data reads weights in another order than the forward pass, perhaps in that of the store.
  bool reads_other_weights() const { return choice().data_weights != choice().weights; }
  bool stored_as_data() const { return choice().data_weights == stored_->desc(); }
  bool adds_data() const { return input_mode_[0] == GradMode::accumulate; }
  /// Whether gradients can go straight to where they belong.
  bool direct_weights() const { return param_mode_[0] == GradMode::overwrite && !to_stored_; }
  bool direct_bias() const { return op_.bias && param_mode_[1] == GradMode::overwrite && !pads_bias(); }

  static float* floats(std::byte* p, std::size_t offset) { return reinterpret_cast<float*>(p + offset); }
  const float* weights(int copy) const {
    return to_native_ ? own_weights_.data() + copy * native_->elements() : param(0, copy);
  }
  const float* bias(int copy) const {
    return pads_bias() ? own_bias_.data() + 1LL * copy * problem().out() : param(1, copy);
  }

  /// Whether a pass works on copies of a map.
  static bool copies(const PassMap& map) { return !wide || map.converts(); }
  /// Rows of an edge in the form that a pass reads, copied to `scratch` where that is another one.
  static const float* as_read(const PassMap& map, const S* edge, int first, int rows, float* scratch) {
    edge += first * map.edge_row();
    if constexpr (wide)
      if (!map.converts()) return edge;
    map.from_edge(edge, scratch, rows);
    return scratch;
  }

  void clear_grads(int copy) const {
    if (param_mode_[0] == GradMode::overwrite) std::fill_n(param_grad(0, copy), stored_->elements(), 0.f);
    if ((op_.bias || own_bias_pass_) && param_mode_[1] == GradMode::overwrite)
      std::fill_n(param_grad(1, copy), out_.channels, 0.f);
  }

  void bias_gradient(int copy, int first, int count) {
    if constexpr (wide)
      sum_channels(at.output_grad + first * dst(Pass::forward).edge_row(), count, out_.channels, out_.extent.pixels(),
                   dst_blocked_, bias_sums_.data());
    for (int c = 0; c < out_.channels; ++c) deliver(param_grad(1, copy)[c], bias_sums_[c], adds_to_param(1));
  }

  /// Where a pass writes rows of a map: where they belong, or into scratch memory.
  static float* place(const PassMap& map, S* edge, float* scratch) {
    if constexpr (wide)
      if (!map.converts()) return edge;
    return scratch;
  }

  void forward_part(int copy, int first, int rows) {
    const PassMap& map = dst(Pass::forward);
    const float* x = as_read(src(Pass::forward), at.input[0], first, rows, floats(at.scratch_forward, forward_.src));
    S* y = at.output + first * map.edge_row();
    float* into = place(map, y, floats(at.scratch_forward, forward_.dst));
    if (op_.residual) {
      const float* add = as_read(map, at.input[1], first, rows, into);
      if (add != into) std::memcpy(into, add, sizeof(float) * rows * map.edge_row());
    }
    std::byte* scratch = at.scratch_forward + forward_.own;
    if (op_.bias)
      primitives_.run(Pass::forward, rows, {x, weights(copy), into, bias(copy)}, scratch, forward_.own_bytes);
    else
      primitives_.run(Pass::forward, rows, {x, weights(copy), into}, scratch, forward_.own_bytes);
    if (copies(map)) map.to_edge(into, y, rows);
    if constexpr (wide)
      if (own_bias_pass_) add_bias(y, param(1, copy), rows, out_.channels, out_.extent.pixels(), dst_blocked_);
  }

  /// Rows of the output's gradient as a pass reads them. Those that the last call converted are there still.
  const float* output_grad(Pass pass, int first, int rows) {
    const PassMap& map = dst(pass);
    float* scratch = floats(at.scratch_backward, backward_.dst);
    if (copies(map) && converted_map_ == map && converted_first_ == first && converted_rows_ == rows) return scratch;
    if (copies(map)) converted_map_ = map, converted_first_ = first, converted_rows_ = rows;
    return as_read(map, at.output_grad, first, rows, scratch);
  }

  void backward_weights(int copy, int first, int count) {
    const int part = part_rows(Pass::backward_weights, count);
    for (int r = 0; r < count; r += part) backward_weights_part(copy, first + r, std::min(part, count - r), r > 0);
  }

  /// `more`: the gradients of earlier rows are there already.
  void backward_weights_part(int copy, int first, int rows, bool more) {
    const Pass pass = Pass::backward_weights;
    const float* x = as_read(src(pass), at.input[0], first, rows, floats(at.scratch_backward, backward_.src));
    const float* dy = output_grad(pass, first, rows);
    const bool direct = direct_weights() && !more, direct_b = direct_bias() && !more;
    float* dw = direct ? param_grad(0, copy) : floats(at.scratch_backward, backward_.grad);
    std::byte* scratch = at.scratch_backward + backward_.own;
    if (op_.bias) {
      float* db = direct_b ? param_grad(1, copy) : floats(at.scratch_backward, backward_.bias);
      primitives_.run(pass, rows, {x, dw, dy, db}, scratch, backward_.own_bytes);
      if (wants_param(1) && !direct_b)
        for (int c = 0; c < op_.out; ++c) deliver(param_grad(1, copy)[c], db[c], more || adds_to_param(1));
    } else {
      primitives_.run(pass, rows, {x, dw, dy}, scratch, backward_.own_bytes);
    }
    if (!wants_param(0) || direct) return;
    if (to_stored_) {  // only where another program chose the layout
      own_grad_.resize(stored_->elements());
      to_stored_->run(dw, own_grad_.data());
      dw = own_grad_.data();
    }
    if (!more && !adds_to_param(0)) std::fill_n(param_grad(0, copy), stored_->elements(), 0.f);
    add(param_grad(0, copy), dw, static_cast<long long>(stored_->elements()));
  }

  void backward_data(int copy, int first, int count) {
    const Pass pass = Pass::backward_data;
    const PassMap& map = src(pass);
    const float *w = weights(copy), *reordered = stored_as_data() ? param(0, copy) : nullptr;
    std::byte* scratch = at.scratch_backward + backward_.own;
    const int part = part_rows(pass, count);
    for (int r = 0; r < count; r += part) {
      const int rows = std::min(part, count - r);
      const bool other = reads_other_weights() && !choice().uses_winograd(pass, rows);
      if (other && !reordered) {
        float* copied = floats(at.scratch_backward, backward_.weights);
        data_reorder_->run({w, copied}, scratch, backward_.own_bytes);
        reordered = copied;
      }
      S* dx = at.input_grad[0] + (first + r) * map.edge_row();
      const bool direct = direct_data(rows);
      float* made = floats(at.scratch_backward, backward_.chunk);
      if constexpr (wide)
        if (direct) made = dx;
      const float* added = direct && adds_data() ? made : nullptr;
      primitives_.run(pass, rows, {made, other ? reordered : w, output_grad(pass, first + r, rows), added}, scratch,
                      backward_.own_bytes);
      if (direct) continue;
      if (!adds_data()) {  // so it is a copy
        map.to_edge(made, dx, rows);
        continue;
      }
      const float* in_order = map.converts() ? floats(at.scratch_backward, backward_.sum) : made;
      if (map.converts()) map.to_edge(made, floats(at.scratch_backward, backward_.sum), rows);
      add(dx, in_order, rows * map.edge_row());
    }
  }
  /// Whether so many rows of the input's gradient are computed where they belong: oneDNN does not add.
  bool direct_data(int rows) const {
    return (!adds_data() || choice().uses_winograd(Pass::backward_data, rows)) && !copies(src(Pass::backward_data));
  }

  /// How many of `count` rows a call of oneDNN or Winograd's form takes; the last call may have fewer.
  int part_rows(Pass pass, int count) const {
    int rows = choice().part_rows(pass, count);
    if (!wide && !other_pixels(pass)) rows = std::min(rows, cached_rows(pass));
    if (pass == Pass::backward_data) rows = std::min(rows, chunk_rows(count));
    const bool any = choice().uses_winograd(pass, rows);  // number of rows is as good as another
    return any || !use_.routed || rows == use_.rows ? rows : common_rows(rows);
  }
  /// A copy of the node has at least this many rows, or none.
  int least_rows() const { return use_.routed ? 1 : use_.rows; }
  std::vector<int> row_counts(Pass pass) const {
    return onednn::row_counts(least_rows(), use_.rows, [&](int rows) { return part_rows(pass, rows); });
  }
  bool cuts(Pass pass) const {
    for (int rows = least_rows(); rows <= use_.rows; ++rows)
      if (part_rows(pass, rows) < rows) return true;
    return false;
  }
  std::size_t most_scratch(Pass pass) const {
    std::size_t bytes = 0;
    for (const int rows : row_counts(pass)) bytes = std::max(bytes, primitives_.scratch_bytes(pass, rows));
    return bytes;
  }

  /// The most rows whose data gradient is computed in one go. When it is added to another or converted they are so few
  /// that the second pass finds them in the cache; but phases want to be many.
  int chunk_rows(int count) const {
    if (direct_data(count) || src(Pass::backward_data).other_pixels()) return count;
    return std::min(count, cached_rows(Pass::backward_data));
  }
  int cached_rows(Pass pass) const {
    long long cache = 2 << 20;
    // Gradients of weights of several parts are added up, which is a pass through weights for each.
    if (pass == Pass::backward_weights) cache = std::max<long long>(cache, choice().weights_grad.get_size());
    const long long row = src(pass).row() * static_cast<long long>(sizeof(float));
    return static_cast<int>(std::max(1LL, cache / row));
  }
  bool other_pixels(Pass pass) const { return src(pass).other_pixels() || dst(pass).other_pixels(); }

  void plan_scratch() {
    const std::size_t f = sizeof(float);
    const auto most = [&](Pass pass) {
      const int rows = choice().most_rows(pass, use_.rows);
      return wide || other_pixels(pass) ? rows : std::min(rows, cached_rows(pass));
    };
    const auto bytes = [&](const PassMap& map, int rows) -> std::size_t {
      return copies(map) ? f * rows * map.row() : 0;
    };
    Scratch& s = forward_;
    s.own = s.take(s.own_bytes = most_scratch(Pass::forward));
    s.src = s.take(bytes(src(Pass::forward), most(Pass::forward)));
    s.dst = s.take(bytes(dst(Pass::forward), most(Pass::forward)));

    Scratch& b = backward_;
    std::size_t dst_bytes = 0;
    for (const Pass pass : {Pass::backward_weights, Pass::backward_data})
      if (runs(pass)) {
        b.own_bytes = std::max(b.own_bytes, most_scratch(pass));
        dst_bytes = std::max(dst_bytes, bytes(dst(pass), most(pass)));
      }
    if (use_.backward_data && reads_other_weights() && !stored_as_data()) {
      data_reorder_ = make_reorder(choice().weights, choice().data_weights);
      b.own_bytes = std::max(b.own_bytes, data_reorder_->scratch_bytes());
    }
    b.own = b.take(b.own_bytes), b.dst = b.take(dst_bytes);
    Scratch data = b;  // what follows is needed in one of the two passes only, and shares its memory
    if (use_.backward_weights) {
      const Pass pass = Pass::backward_weights;
      b.src = b.take(bytes(src(pass), most(pass)));
      const bool parts = cuts(pass);
      if (parts || !direct_weights()) b.grad = b.take(choice().weights_grad.get_size());
      if (op_.bias && (parts || !direct_bias())) b.bias = b.take(f * problem().out());
    }
    if (use_.backward_data) {
      const PassMap& map = src(Pass::backward_data);
      const int rows =
          std::min(most(Pass::backward_data), map.other_pixels() ? use_.rows : cached_rows(Pass::backward_data));
      if (data_reorder_) b.weights = data.take(choice().data_weights.get_size());
      if (!direct_data(1)) b.chunk = data.take(f * rows * map.row());
      if (adds_data() && map.converts()) b.sum = data.take(f * rows * map.edge_row());
      b.bytes = std::max(b.bytes, data.bytes);
    }
  }

  ops::Conv op_;  // of a transposed convolution: the mirrored one, without bias
  bool dst_blocked_;
  bool own_bias_pass_ = false;  // of a transposed convolution: oneDNN's data gradients know no bias
  ConvUse use_;
  ConvPrimitives primitives_;
  Stored native_, grad_, stored_;     // weights as read, their gradient as written, and as the store has both
  std::array<PassMap, 3> src_, dst_;  // per pass
  PassMap converted_map_;  // how rows of the output's gradient lie converted in the scratch memory, and which
  int converted_first_ = 0, converted_rows_ = 0;
  Scratch forward_, backward_;
  std::unique_ptr<Primitive> data_reorder_;
  std::unique_ptr<WeightsConversion> to_native_, to_stored_;
  std::vector<float> own_weights_, own_bias_, own_grad_;
  std::vector<double> bias_sums_;
};

using ConvKernel = ConvKernelOf<float>;

}  // namespace moecnn::onednn

#pragma once
/// \file
/// The losses of a detector. Threads share parts of the maps, which do not depend on their number; a vector holds one
/// channel of many pixels.

#include "moecnn/backend/host/activation.hpp"
#include "moecnn/backend/host/log.hpp"

#include <vector>

namespace moecnn::host {

/// What both losses do with the anchors of all levels.
template <class T>
class AnchorLossKernel : public NodeKernel<T> {
 public:
  /// The levels are the first inputs; `numbers` per anchor, of which a pass looks at `visited`.
  AnchorLossKernel(const Graph& g, const Flow& f, int n, std::size_t levels, int anchors, int numbers, int visited)
      : NodeKernel<T>(g, f, n), levels_(levels), anchors_(anchors), numbers_(numbers), visited_(visited) {
    long long first = 0;
    for (std::size_t l = 0; l < levels; ++l) {
      const long long pixels = pixels_of(l), most = pixels_per_part(anchors * numbers);
      for (int image = 0; image < images(); ++image)
        for (long long p = 0; p < pixels; p += most) parts_.push_back({l, image, p, std::min(most, pixels - p), first});
      first += pixels * anchors;
    }
    all_anchors_ = first;
    positives_.resize(static_cast<std::size_t>(images()));
  }

  NodeNeeds needs() const override {
    NodeNeeds n = this->plain_needs();
    n.keeps_input.assign(n.keeps_input.size(), 1);
    n.scratch_forward = sizeof(Sums) * parts_.size();
    return n;
  }
  void bind(const Bindings& b) override {
    NodeKernel<T>::bind(b);
    result_ = static_cast<LossResult*>(b.output);
    classes_ = static_cast<const std::int32_t*>(b.input[levels_]);
  }

 protected:
  using NodeKernel<T>::at;
  /// About 64 Ki numbers, in whole chunks.
  static constexpr long long pixels_per_part(int channels) {
    return std::max(2, (64 * 1024 + chunk * channels - 1) / (chunk * channels)) * chunk;
  }

  /// Some pixels of one level of one image.
  struct Part {
    std::size_t level;
    int image;
    long long pixel, count;  ///< in the level
    long long first;         ///< of the level's anchors among the image's
  };
  struct Sums {
    double loss = 0, positives = 0, hits = 0;
  };

  int images() const { return this->in_[0].extent.n; }
  long long pixels_of(std::size_t level) const { return this->in_[level].extent.pixels(); }
  int anchors() const { return anchors_; }
  /// Number of the first anchor of a part in the targets.
  long long anchor_of(const Part& p) const { return p.image * all_anchors_ + p.first + p.pixel * anchors_; }
  /// Where the numbers of the image's level begin, in its map.
  long long map_of(const Part& p) const { return p.image * numbers_ * anchors_ * pixels_of(p.level); }
  const std::int32_t* classes() const { return classes_; }
  double positives(int image) const { return positives_[static_cast<std::size_t>(image)]; }

  template <class F>
  void for_each_part(const F& visit) const {
    [[maybe_unused]] const long long all = images() * all_anchors_ * visited_;
    const int n = static_cast<int>(parts_.size());
#pragma omp parallel for schedule(dynamic) if (worth_sharing(all))
    for (int i = 0; i < n; ++i) visit(parts_[static_cast<std::size_t>(i)], i);
  }

  /// A forward pass: `visit(part, sums)`; an image's loss is divided by divisor(positives).
  template <class F, class D>
  void sum(const F& visit, const D& divisor) {
    auto* sums = reinterpret_cast<Sums*>(at.scratch_forward);
    for_each_part([&](const Part& p, int i) {
      sums[i] = {};
      visit(p, sums[i]);
    });
    std::fill(positives_.begin(), positives_.end(), 0.0);
    LossResult all;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      positives_[static_cast<std::size_t>(parts_[i].image)] += sums[i].positives;
      all.counted += sums[i].positives, all.hits += sums[i].hits;
    }
    for (std::size_t i = 0; i < parts_.size(); ++i) all.mean += sums[i].loss / divisor(positives(parts_[i].image));
    all.mean /= images();
    all.weight = images();
    *result_ = all;
  }

 private:
  std::size_t levels_;
  int anchors_, numbers_, visited_;
  std::vector<Part> parts_;
  long long all_anchors_ = 0;
  std::vector<double> positives_;  // per image
  LossResult* result_ = nullptr;
  const std::int32_t* classes_ = nullptr;
};

/// Kinds of the maps of a focal loss.
enum class FocalMaps : unsigned char { probabilities, bounded_logits, logits };

/// -α (1 - q)^γ log q of one number, and its slope; q is the probability of what is true. Without branches and calls where
/// γ is 2, so that loops become vectors (see choose()).
template <class T, FocalMaps maps, bool square>
struct FocalTerm {
  static constexpr bool of_logits = maps != FocalMaps::probabilities;
  T own,
      other;  ///< α of the class of a positive anchor, and of all else; for slopes times what the loss is multiplied by
  T low, high;  ///< bounds of probabilities
  T gamma;

  /// The probability as it came, q, 1 - q, -log q.
  struct Parts {
    T raw, q, rest, minus_log;
  };
  Parts parts(T x, bool is) const {
    Parts p;
    if constexpr (maps == FocalMaps::logits) {  // q = 1 / (1 + exp(away)) may round to 0
      const T away = choose(is, -x, x), size = std::abs(away);
      const T e = exp_of(-size), all = T(1) + e, part = e / all, whole = T(1) / all;
      p.q = choose(away > T(0), part, whole);
      p.rest = choose(away > T(0), whole, part);
      p.raw = T(0);
      p.minus_log = choose(away > T(0), away, T(0)) + log_of(all);
    } else {
      p.raw = of_logits ? T(1) / (T(1) + exp_of(-x)) : x;
      const T up = choose(p.raw < low, low, p.raw), prob = choose(up > high, high, up);
      p.q = choose(is, prob, T(1) - prob);
      p.rest = choose(is, T(1) - prob, prob);
      p.minus_log = -log_of(p.q);
    }
    return p;
  }
  T value(T x, bool is) const {
    const Parts p = parts(x, is);
    return choose(is, own, other) * power(p.rest) * p.minus_log;
  }
  /// d/dq = -α (γ (1 - q)^(γ - 1) · -log q + (1 - q)^γ / q), times ±1 for dq/dp; behind a sigmoid dp/dx = p (1 - p) = q
  /// (1 - q).
  T slope(T x, bool is) const {
    const Parts p = parts(x, is);
    const T log_part = power_slope(p.rest) * p.minus_log, s = [&] {
      if constexpr (of_logits) return choose(is, -own, other) * p.rest * (log_part * p.q + power(p.rest));
      return choose(is, -own, other) * (log_part + power(p.rest) / p.q);
    }();
    if constexpr (maps == FocalMaps::logits) return s;
    return choose((p.raw >= low) & (p.raw <= high), s, T(0));
  }

 private:
  T power(T x) const {
    if constexpr (square) return x * x;
    return std::pow(x, gamma);
  }
  /// γ x^(γ - 1)
  T power_slope(T x) const {
    if constexpr (square) return T(2) * x;
    return gamma == T(0) ? T(0) : gamma * std::pow(x, gamma - T(1));
  }
};

template <class T>
class FocalLossKernel final : public AnchorLossKernel<T> {
  using Base = AnchorLossKernel<T>;
  using typename Base::Part;
  using typename Base::Sums;

 public:
  FocalLossKernel(const Graph& g, const Flow& f, int n)
      : FocalLossKernel(g, f, n, std::get<ops::FocalLoss>(g.nodes[n].op)) {}

  void forward(const StepContext&) override {
    with_term([&](auto term) {
      this->sum([&](const Part& p, Sums& s) { add(scaled(term, 1, 1), p, s); },
                [](double positives) { return std::max(positives, 1.0); });
    });
  }
  void backward(const StepContext&) override {
    with_term([&](auto term) {
      this->for_each_part([&](const Part& p, int) {
        if (!this->wants_input(p.level)) return;
        const double scale = op_.factor / (std::max(this->positives(p.image), 1.0) * this->images());
        slopes(scaled(term, scale, scale), p);
      });
    });
  }

 private:
  FocalLossKernel(const Graph& g, const Flow& f, int n, const ops::FocalLoss& op)
      : Base(g, f, n, g.nodes[n].inputs.size() - 1, op.anchors, op.classes, op.classes), op_(op) {}
  using NodeKernel<T>::at;

  /// Calls `work` with the term of this loss.
  template <class F>
  void with_term(const F& work) const {
    const auto with = [&]<FocalMaps maps>() {
      op_.gamma == 2 ? work(FocalTerm<T, maps, true>{}) : work(FocalTerm<T, maps, false>{});
    };
    if (!op_.logits) return with.template operator()<FocalMaps::probabilities>();
    op_.clamp > 0 ? with.template operator()<FocalMaps::bounded_logits>()
                  : with.template operator()<FocalMaps::logits>();
  }
  template <class Term>
  Term scaled(Term term, double own, double other) const {
    term.own = static_cast<T>(own * op_.alpha), term.other = static_cast<T>(other * (1 - op_.alpha));
    term.low = static_cast<T>(op_.clamp), term.high = T(1) - term.low;
    term.gamma = static_cast<T>(op_.gamma);
    return term;
  }

  /// Calls `visit(labels, pixels, offset)` for runs of up to `chunk` pixels of every anchor: the number of class c and
  /// pixel j lies at offset + c · pixels of the level + j.
  template <class F>
  void for_each_run(const Part& p, const F& visit) const {
    const long long pixels = this->pixels_of(p.level);
    alignas(64) std::array<std::int32_t, chunk> labels;
    for (int a = 0; a < op_.anchors; ++a)
      for (long long first = 0; first < p.count; first += chunk) {
        const int count = static_cast<int>(std::min<long long>(chunk, p.count - first));
        const std::int32_t* of = this->classes() + this->anchor_of(p) + first * op_.anchors + a;
        for (int j = 0; j < count; ++j) labels[j] = of[1LL * j * op_.anchors];
        visit(labels.data(), count, this->map_of(p) + 1LL * a * op_.classes * pixels + p.pixel + first);
      }
  }

  template <class Term>
  void add(const Term& term, const Part& p, Sums& s) const {
    const long long pixels = this->pixels_of(p.level);
    for_each_run(p, [&](const std::int32_t* labels, int count, long long offset) {
      const T* x = at.input[p.level] + offset;
      alignas(64) Chunk<T> sums{};
      for (int c = 0; c < op_.classes; ++c) add_class(term, x + c * pixels, labels, c, count, sums.data());
      for (int j = 0; j < count; ++j) {
        if (labels[j] != ops::anchor_ignored) s.loss += sums[j];
        if (labels[j] < 0) continue;
        s.positives += 1, s.hits += x[labels[j] * pixels + j] > (Term::of_logits ? T(0) : T(0.5));
      }
    });
  }
  template <class Term>
  void slopes(const Term& term, const Part& p) const {
    const long long pixels = this->pixels_of(p.level);
    for_each_run(p, [&](const std::int32_t* labels, int count, long long offset) {
      const T* x = at.input[p.level] + offset;
      T* dx = at.input_grad[p.level] + offset;
      for (int c = 0; c < op_.classes; ++c)
        if (this->adds_to_input(p.level))
          write_class<true>(term, x + c * pixels, labels, c, count, dx + c * pixels);
        else
          write_class<false>(term, x + c * pixels, labels, c, count, dx + c * pixels);
    });
  }

  // Loops over addresses that they were given: GCC makes vectors of these.

  template <class Term>
  static void add_class(const Term t, const T* x, const std::int32_t* labels, int c, int count, T* sums) {
#pragma omp simd
    for (int j = 0; j < count; ++j) sums[j] += t.value(x[j], labels[j] == c);
  }
  template <bool adds, class Term>
  static void write_class(const Term t, const T* x, const std::int32_t* labels, int c, int count, T* dx) {
#pragma omp simd
    for (int j = 0; j < count; ++j) {
      const T counted = choose(labels[j] != ops::anchor_ignored, t.slope(x[j], labels[j] == c), T(0));
      dx[j] = adds ? dx[j] + counted : counted;
    }
  }

  ops::FocalLoss op_;
};

template <class T>
class BoxLossKernel final : public AnchorLossKernel<T> {
  using Base = AnchorLossKernel<T>;
  using typename Base::Part;
  using typename Base::Sums;

 public:
  BoxLossKernel(const Graph& g, const Flow& f, int n) : BoxLossKernel(g, f, n, std::get<ops::BoxLoss>(g.nodes[n].op)) {}

  void forward(const StepContext&) override {
    this->sum(
        [&](const Part& p, Sums& s) {
          for_each_positive(p, [&](long long anchor, long long offset) {
            int near = 0;
            for (int i = 0; i < 4; ++i) {
              const double d = std::abs(difference(p, anchor, offset, i));
              s.loss += d < op_.corner ? d * d / (2 * op_.corner) : d - op_.corner / 2;
              near += d < 0.5;
            }
            s.positives += 1, s.hits += near == 4;
          });
        },
        [&](double positives) { return std::max(positives, 1.0) * op_.divisor; });
  }
  void backward(const StepContext&) override {
    this->for_each_part([&](const Part& p, int) {
      if (!this->wants_input(p.level)) return;
      const long long pixels = this->pixels_of(p.level);
      T* dx = at.input_grad[p.level];
      const double scale = op_.factor / (std::max(this->positives(p.image), 1.0) * op_.divisor * this->images());
      if (!this->adds_to_input(p.level))
        for (int c = 0; c < 4 * op_.anchors; ++c)
          std::fill_n(dx + this->map_of(p) + c * pixels + p.pixel, p.count, T(0));
      for_each_positive(p, [&](long long anchor, long long offset) {
        for (int i = 0; i < 4; ++i) {
          const double d = difference(p, anchor, offset, i), sign = d > 0 ? 1.0 : d < 0 ? -1.0 : 0.0;
          dx[offset + i * pixels] += static_cast<T>(scale * (std::abs(d) < op_.corner ? d / op_.corner : sign));
        }
      });
    });
  }

 private:
  BoxLossKernel(const Graph& g, const Flow& f, int n, const ops::BoxLoss& op)
      : Base(g, f, n, g.nodes[n].inputs.size() - 2, op.anchors, 4, 1), op_(op) {}
  using NodeKernel<T>::at;

  /// Calls `visit(number in the targets, where its first delta lies in the map)`.
  template <class F>
  void for_each_positive(const Part& p, const F& visit) const {
    const long long pixels = this->pixels_of(p.level);
    for (long long j = 0; j < p.count; ++j)
      for (int a = 0; a < op_.anchors; ++a)
        if (const long long anchor = this->anchor_of(p) + j * op_.anchors + a; this->classes()[anchor] >= 0)
          visit(anchor, this->map_of(p) + 4LL * a * pixels + p.pixel + j);
  }
  double difference(const Part& p, long long anchor, long long offset, int i) const {
    return static_cast<double>(at.input[p.level][offset + i * this->pixels_of(p.level)]) -
           at.input.back()[4 * anchor + i];
  }

  ops::BoxLoss op_;
};

template <class T>
struct KernelFor<T, ops::FocalLoss> {
  using type = FocalLossKernel<T>;
};
template <class T>
struct KernelFor<T, ops::BoxLoss> {
  using type = BoxLossKernel<T>;
};

}  // namespace moecnn::host

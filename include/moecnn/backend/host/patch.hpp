#pragma once
#include "moecnn/backend/host/kernel_for.hpp"

namespace moecnn::host {

/// Walks through the lines of patches and what they have in common with their map. Nothing here looks inside a pixel, so
/// every host backend uses these kernels: a map is planes of pixels of `unit` numbers, in plain order C planes of one.
template <class T, class Op>
class PatchKernelBase : public NodeKernel<T> {
 public:
  static constexpr Orders orders = Orders::planes;
  PatchKernelBase(const Graph& g, const Flow& f, int n, int unit = 1)
      : NodeKernel<T>(g, f, n),
        grid_(std::get<Op>(this->node_.op).grid),
        planes_(pieces(this->out_.channels, unit)),
        unit_(unit) {}

 protected:
  /// Calls `visit(patch, map, before, both, after)` for every line of every patch with halo `halo`: where its numbers
  /// begin among those of all patches, and those of the map that it shares; how many it has before, in and after the
  /// map. Planes are independent of one another.
  template <class F>
  void for_each_line(int maps, Size2 halo, const F& visit) const {
    const Size2 size{grid_.patch.h + 2 * halo.h, grid_.patch.w + 2 * halo.w}, map = grid_.map;
    [[maybe_unused]] const long long numbers = 1LL * maps * planes_ * unit_ * grid_.count() * size.h * size.w;
#pragma omp parallel for collapse(2) schedule(static) if (worth_sharing(numbers))
    for (int b = 0; b < maps; ++b)
      for (int c = 0; c < planes_; ++c)
        for (int i = 0; i < grid_.count(); ++i) {
          const Size2 origin = grid_.origin(i);
          const int top = origin.h - halo.h, left = origin.w - halo.w;
          const int begin = std::max(0, -left), end = std::min(size.w, map.w - left);
          const long long patch = (1LL * (b * grid_.count() + i) * planes_ + c) * size.h * size.w;
          const long long plane = (1LL * b * planes_ + c) * map.h * map.w;
          for (int y = 0; y < size.h; ++y) {
            const bool inside = top + y >= 0 && top + y < map.h;
            visit(unit_ * (patch + 1LL * y * size.w), unit_ * (plane + 1LL * (top + y) * map.w + left + begin),
                  unit_ * (inside ? begin : size.w), unit_ * (inside ? end - begin : 0),
                  unit_ * (inside ? size.w - end : 0));
          }
        }
  }

  /// Patches become what the map holds, and zero beyond it.
  void cut(const T* maps, T* patches, int count, Size2 halo) const {
    for_each_line(count, halo, [&](long long patch, long long map, int before, int both, int after) {
      T* to = patches + patch;
      std::fill_n(to, before, T(0));
      if (both > 0) std::copy_n(maps + map, both, to + before);
      std::fill_n(to + before + both, after, T(0));
    });
  }
  static void add(const T* from, T* to, int n) {
    for (int i = 0; i < n; ++i) to[i] += from[i];
  }

  PatchGrid grid_;
  int planes_, unit_;
};

template <class T>
class ToPatchesKernel final : public PatchKernelBase<T, ops::ToPatches> {
 public:
  using PatchKernelBase<T, ops::ToPatches>::PatchKernelBase;

  void forward(const StepContext&) override {
    this->cut(at.input[0], at.output, this->in_[0].extent.n, this->grid_.halo);
  }
  void backward(const StepContext&) override {
    const Extent& map = this->in_[0].extent;
    this->start(at.input_grad[0], map.n * map.pixels() * this->planes_ * this->unit_, this->adds_to_input(0));
    this->for_each_line(map.n, this->grid_.halo, [&](long long patch, long long pixel, int before, int both, int) {
      if (both > 0) this->add(at.output_grad + patch + before, at.input_grad[0] + pixel, both);
    });
  }

 private:
  using NodeKernel<T>::at;
};

template <class T>
class FromPatchesKernel final : public PatchKernelBase<T, ops::FromPatches> {
 public:
  using PatchKernelBase<T, ops::FromPatches>::PatchKernelBase;

  void forward(const StepContext&) override {
    this->for_each_line(this->out_.extent.n, 0, [&](long long patch, long long pixel, int, int both, int) {
      if (both > 0) std::copy_n(at.input[0] + patch, both, at.output + pixel);
    });
  }
  void backward(const StepContext&) override {
    if (!this->adds_to_input(0)) return this->cut(at.output_grad, at.input_grad[0], this->out_.extent.n, 0);
    this->for_each_line(this->out_.extent.n, 0, [&](long long patch, long long pixel, int, int both, int) {
      if (both > 0) this->add(at.output_grad + pixel, at.input_grad[0] + patch, both);
    });
  }

 private:
  using NodeKernel<T>::at;
};

template <class T>
struct KernelFor<T, ops::ToPatches> {
  using type = ToPatchesKernel<T>;
};
template <class T>
struct KernelFor<T, ops::FromPatches> {
  using type = FromPatchesKernel<T>;
};

}  // namespace moecnn::host

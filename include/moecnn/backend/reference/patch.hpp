#pragma once
#include "moecnn/backend/reference/common.hpp"

namespace moecnn::reference {

/// Walks through the lines that a patch and its map have in common.
template <class T, class Op>
class PatchKernelBase : public NodeKernel<T> {
 public:
  PatchKernelBase(const Graph& g, const Flow& f, int n)
      : NodeKernel<T>(g, f, n), grid_(std::get<Op>(this->node_.op).grid) {}

 protected:
  /// Calls `visit(line of the patch, line of the map, elements)` for all lines of all patches with halo `halo`.
  template <class Patch, class Map, class F>
  void for_each_line(Patch* patches, Map* maps, int map_rows, Size2 halo, const F& visit) const {
    const int channels = this->out_.channels;
    const Size2 size{grid_.patch.h + 2 * halo.h, grid_.patch.w + 2 * halo.w}, map = grid_.map;
    for (int b = 0; b < map_rows; ++b)
      for (int i = 0; i < grid_.count(); ++i) {
        const Size2 origin = grid_.origin(i);
        const int top = origin.h - halo.h, left = origin.w - halo.w;
        const int y_end = std::min(size.h, map.h - top), x0 = std::max(0, -left),
                  x_end = std::min(size.w, map.w - left);
        for (int c = 0; c < channels; ++c) {
          Patch* patch = patches + (1LL * (b * grid_.count() + i) * channels + c) * size.h * size.w;
          Map* plane = maps + (1LL * b * channels + c) * map.h * map.w;
          for (int y = std::max(0, -top); y < y_end; ++y)
            visit(patch + y * size.w + x0, plane + 1LL * (top + y) * map.w + left + x0, x_end - x0);
        }
      }
  }

  PatchGrid grid_;
};

template <class T>
class ToPatchesKernel final : public PatchKernelBase<T, ops::ToPatches> {
 public:
  using PatchKernelBase<T, ops::ToPatches>::PatchKernelBase;

  void forward(const StepContext&) override {
    std::fill_n(at.output, this->out_.elements(), T(0));
    this->for_each_line(at.output, at.input[0], this->in_[0].extent.n, this->grid_.halo,
                        [](T* patch, const T* map, int n) { std::copy_n(map, n, patch); });
  }
  void backward(const StepContext&) override {
    this->start(at.input_grad[0], this->in_[0].elements(), this->adds_to_input(0));
    this->for_each_line(at.output_grad, at.input_grad[0], this->in_[0].extent.n, this->grid_.halo,
                        [](const T* patch, T* map, int n) {
                          for (int i = 0; i < n; ++i) map[i] += patch[i];
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
    this->for_each_line(at.input[0], at.output, this->out_.extent.n, 0,
                        [](const T* patch, T* map, int n) { std::copy_n(patch, n, map); });
  }
  void backward(const StepContext&) override {
    this->start(at.input_grad[0], this->in_[0].elements(), this->adds_to_input(0));
    this->for_each_line(at.input_grad[0], at.output_grad, this->out_.extent.n, 0, [](T* patch, const T* map, int n) {
      for (int i = 0; i < n; ++i) patch[i] += map[i];
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

}  // namespace moecnn::reference

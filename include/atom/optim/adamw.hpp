// SPDX-License-Identifier: Apache-2.0
// AdamW: decoupled weight decay by role, clipping by the global norm, one pass over a flat arena of gradients and
// moments.
#pragma once

#include "../backend/adamw.hpp"
#include "../nn/module.hpp"

namespace atom::optim {

struct AdamWOptions {
  float lr = 1e-3F;
  float beta1 = 0.9F, beta2 = 0.95F;
  float eps = 1e-8F;
  float weight_decay = 0.1F;  // of matrices and embeddings; biases and norms are not decayed
  float clip = 1;             // greatest global norm of the gradient; 0: no limit
};

struct StepResult {
  double norm = 0;       // of the gradient, before clipping
  bool skipped = false;  // it was not finite: weights and moments are as before
};

// Updates the weights of one model where they are: those that require a gradient when this is made. Gradients
// accumulate over any number of backward calls into this object's arena; `step` uses and clears them. The weights'
// memory is shared with the model.
template <class T, class D> class AdamW {
 public:
  template <nn::Module M> explicit AdamW(M& model, const AdamWOptions& options = {}) : options_(options) {
    check(options.lr >= 0 && options.eps > 0 && options.weight_decay >= 0 && options.clip >= 0, "adamw",
          "lr, weight_decay and clip are at least 0 and eps above: found ", options.lr, ", ", options.weight_decay,
          ", ", options.clip, ", ", options.eps);
    check(options.beta1 >= 0 && options.beta1 < 1 && options.beta2 >= 0 && options.beta2 < 1, "adamw",
          "betas are in [0, 1): found ", options.beta1, " and ", options.beta2);
    nn::for_each_tensor(model, [&](const std::string& name, auto& tensor, Role role) {
      using Scalar = typename std::remove_cvref_t<decltype(tensor)>::Scalar;
      if constexpr (std::is_same_v<Scalar, T>) {
        if (role == Role::buffer || !tensor.requires_grad()) return;
        const bool decayed = role == Role::matrix || role == Role::embedding;
        parameters_.push_back({name, tensor, size_, decayed});
        size_ += (tensor.size() + alignment - 1) / alignment * alignment;
      } else {
        check(role == Role::buffer, "adamw", "parameter '", name, "' has another type than the rest");
      }
    });
    check(!parameters_.empty(), "adamw", "no parameter of the model requires a gradient: see nn::require_grad");
    const D device = parameters_[0].tensor.device();
    gradients_ = Tensor<T, D>::zeros({size_}, device).buffer();
    m_ = Tensor<T, D>::zeros({size_}, device).buffer();
    v_ = Tensor<T, D>::zeros({size_}, device).buffer();
    for (auto& p : parameters_) p.tensor.node()->pin_gradient(part(gradients_, p));
    cut();
  }

  // One update with the gradients collected since the last. A parameter that got none counts as gradient 0.
  StepResult step() { return step(gradient_norm()); }
  // The same with the norm that gradient_norm() just gave.
  StepResult step(double norm) {
    StepResult result{.norm = norm, .skipped = !std::isfinite(norm)};
    if (!result.skipped) update(norm);
    clear();
    return result;
  }

  // Global norm of the gradients collected so far.
  double gradient_norm() {
    for (auto& p : parameters_) {
      if (p.tensor.node()->has_gradient()) continue;
      const auto place = part(gradients_, p);
      fill_zero(place.device(), place.mutable_data(), static_cast<std::size_t>(place.size()) * sizeof(T));
    }
    return std::sqrt(squared_norm(gradients_.device(), gradients_.data(), size_));
  }

  // Forgets the gradients.
  void clear() {
    for (auto& p : parameters_) p.tensor.clear_grad();
  }

  const AdamWOptions& options() const { return options_; }
  void set_lr(float lr) { options_.lr = lr; }
  Index steps() const { return steps_; }  // updates made, skipped ones not counted
  void set_steps(Index steps) { steps_ = steps; }

  // f(name, tensor) for the state that a resume needs besides steps(): "m.NAME" and "v.NAME" of each parameter, sharing
  // this object's memory.
  template <class F> void for_each_state(F&& f) {
    for (auto& p : parameters_) {
      f("m." + p.name, constant(part(m_, p)));
      f("v." + p.name, constant(part(v_, p)));
    }
  }

 private:
  static constexpr Index alignment = 16;        // elements
  static constexpr Index run = Index{1} << 16;  // elements of a segment

  struct Parameter {
    std::string name;
    Tensor<T, D> tensor;
    Index offset;
    bool decayed;
  };

  static Buffer<T, D> part(const Buffer<T, D>& arena, const Parameter& p) {
    return arena.alias(p.tensor.shape(), contiguous_strides(p.tensor.shape()), p.offset);
  }

  // Cuts the parameters into runs of work for the kernel.
  void cut() {
    for (const auto& p : parameters_)
      for (Index i = 0; i < p.tensor.size(); i += run)
        segments_.push_back({.weight = p.tensor.buffer().mutable_data() + i,
                             .gradient = gradients_.data() + p.offset + i,
                             .m = m_.mutable_data() + p.offset + i,
                             .v = v_.mutable_data() + p.offset + i,
                             .count = std::min(run, p.tensor.size() - i),
                             .decay = p.decayed ? T(1) : T(0)});
  }

  // beta^n by squaring: std::pow differs between libraries.
  ATOM_EXACT static double power(double beta, Index n) {
    ATOM_EXACT_BODY
    double result = 1;
    for (; n > 0; n /= 2, beta *= beta)
      if (n % 2 == 1) result *= beta;
    return result;
  }

  ATOM_EXACT void update(double norm) {
    ATOM_EXACT_BODY
    ++steps_;
    const double clip = static_cast<double>(options_.clip);
    const AdamWStep<T> step{.lr = static_cast<T>(options_.lr),
                            .beta1 = static_cast<T>(options_.beta1),
                            .beta2 = static_cast<T>(options_.beta2),
                            .eps = static_cast<T>(options_.eps),
                            .weight_decay = static_cast<T>(options_.weight_decay),
                            .correction1 = static_cast<T>(1 - power(static_cast<double>(options_.beta1), steps_)),
                            .correction2 = static_cast<T>(1 - power(static_cast<double>(options_.beta2), steps_)),
                            .gradient_scale = static_cast<T>(clip > 0 && norm > clip ? clip / norm : 1.0)};
    adamw(gradients_.device(), std::span<const AdamWSegment<T>>(segments_), step);
    for (auto& p : parameters_) p.tensor.buffer().overwritten();
  }

  AdamWOptions options_;
  std::vector<Parameter> parameters_;
  std::vector<AdamWSegment<T>> segments_;
  Buffer<T, D> gradients_, m_, v_;  // flat
  Index size_ = 0, steps_ = 0;
};

template <nn::Module M> AdamW(M&, AdamWOptions) -> AdamW<typename M::Scalar, typename M::DeviceType>;
template <nn::Module M> AdamW(M&) -> AdamW<typename M::Scalar, typename M::DeviceType>;

}  // namespace atom::optim

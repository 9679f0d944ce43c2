// SPDX-License-Identifier: Apache-2.0
// A module is a plain struct with one function that names its parts:
//
//   template <class Self, class F> static void visit(Self& self, F&& f) {
//     f("weight", self.weight, Role::matrix);   // a tensor and what it is
//     f("table", self.table, self.stored, Role::matrix);  // the same, which may be a stored matrix in its place
//     f("norm", self.norm);                     // a module, an std::vector or std::optional of modules
//   }
//
// Initialisation, decay, counting, saving and loading all go through it. Undefined tensors are skipped. A module that
// is trained on its own also says `using Scalar = T; using DeviceType = D;`, which optim::AdamW takes its type from.
#pragma once

#include "../tensor/stored_matrix.hpp"
#include "../tensor/tensor.hpp"

#include <optional>
#include <string>

namespace atom {

enum class Role {
  matrix,     // weight of a product: decayed, normal initial values
  embedding,  // rows looked up by id: the same
  bias,       // added: not decayed, starts at 0
  norm,       // factor of a norm: not decayed, starts at 1
  buffer,     // saved with the model, never differentiated
};

namespace nn {
namespace detail {

// Turns nested visits into one call per tensor, with its path as the name.
template <class F> class Walker {
 public:
  explicit Walker(F& f) : f_(f) {}

  template <class T, class D>
  [[gnu::noinline]] void operator()(std::string_view name, Tensor<T, D>& tensor, Role role) {
    if (tensor.defined()) f_(path_of(name), tensor, role);
  }
  template <class T, class D>
  [[gnu::noinline]] void operator()(std::string_view name, const Tensor<T, D>& tensor, Role role) {
    if (tensor.defined()) f_(path_of(name), tensor, role);
  }
  template <class Weight, class Stored>
  void operator()(std::string_view name, Weight& tensor, Stored& stored, Role role) {
    if constexpr (requires { typename F::WithStored; })
      f_(path_of(name), tensor, stored, role);
    else
      (*this)(name, tensor, role);
  }
  template <class M> void operator()(std::string_view name, std::vector<M>& modules) { each(name, modules); }
  template <class M> void operator()(std::string_view name, const std::vector<M>& modules) { each(name, modules); }
  template <class M> void operator()(std::string_view name, std::optional<M>& module) {
    if (module) enter(name, *module);
  }
  template <class M> void operator()(std::string_view name, const std::optional<M>& module) {
    if (module) enter(name, *module);
  }
  template <class M> void operator()(std::string_view name, M& module) { enter(name, module); }

 private:
  std::string path_of(std::string_view name) const { return prefix_ + std::string(name); }
  template <class M> [[gnu::noinline]] void enter(std::string_view name, M& module) {
    const auto outer = prefix_.size();
    prefix_ += name;
    if constexpr (requires { typename F::WithModules; }) f_.module(std::as_const(prefix_), module);
    prefix_ += '.';
    std::remove_const_t<M>::visit(module, *this);
    prefix_.resize(outer);
  }
  template <class Modules> void each(std::string_view name, Modules& modules) {
    for (std::size_t i = 0; i < modules.size(); ++i) enter(to_text(name, '.', i), modules[i]);
  }

  F& f_;
  std::string prefix_;
};

struct IgnoreParts {
  template <class... Part> void operator()(Part&&...) const {}
};

}  // namespace detail

template <class M>
concept Module = requires(M& module, detail::IgnoreParts& f) {
  std::remove_const_t<M>::visit(module, f);
};

// f(const std::string& name, Tensor<T, D>& tensor, Role role) for every tensor, buffers included, in visiting order.
template <Module M, class F> void for_each_tensor(M& module, F&& f) {
  auto walker = detail::Walker<std::remove_reference_t<F>>(f);
  std::remove_const_t<M>::visit(module, walker);
}

namespace detail {
template <class F> struct WeightsOnly {
  using WithStored = void;
  F& f;

  template <class T, class D> void operator()(const std::string&, const Tensor<T, D>&, Role) {}
  template <class Weight, class Stored>
  void operator()(const std::string& name, Weight& weight, Stored& stored, Role role) {
    if (weight.defined() || stored.rank() > 0) f(name, weight, stored, role);
  }
};
}  // namespace detail

// f(const std::string& name, Tensor<T, D>& weight, StoredMatrix<D>& stored, Role role) for every weight that may be
// stored: one of the two is defined, or neither where it is still to be loaded (see weights.hpp).
template <Module M, class F> void for_each_weight(M& module, F&& f) {
  for_each_tensor(module, detail::WeightsOnly<std::remove_reference_t<F>>{f});
}

namespace detail {
template <class F> struct ModuleWalker {
  F& f;

  template <class T, class D> void operator()(std::string_view, Tensor<T, D>&, Role) {}
  template <class T, class D> void operator()(std::string_view, const Tensor<T, D>&, Role) {}
  template <class Weight, class Stored> void operator()(std::string_view, Weight&, Stored&, Role) {}
  template <class M> void operator()(std::string_view name, std::vector<M>& modules) {
    for (M& module : modules) (*this)(name, module);
  }
  template <class M> void operator()(std::string_view name, const std::vector<M>& modules) {
    for (const M& module : modules) (*this)(name, module);
  }
  template <class M> void operator()(std::string_view name, std::optional<M>& module) {
    if (module) (*this)(name, *module);
  }
  template <class M> void operator()(std::string_view name, const std::optional<M>& module) {
    if (module) (*this)(name, *module);
  }
  template <class M> void operator()(std::string_view, M& module) {
    f(module);
    std::remove_const_t<M>::visit(module, *this);
  }
};
}  // namespace detail

// f(auto& module) for every module inside this one, each before its own parts. Allocates nothing.
template <Module M, class F> void for_each_module(M& module, F&& f) {
  detail::ModuleWalker<std::remove_reference_t<F>> walker{f};
  std::remove_const_t<M>::visit(module, walker);
}

// Number of values in the parameters, stored ones too.
template <Module M> Index parameter_count(const M& module) {
  Index count = 0;
  for_each_tensor(module, [&](const std::string&, const auto& tensor, Role role) {
    if (role != Role::buffer) count += tensor.size();
  });
  for_each_weight(module, [&](const std::string&, const auto&, const auto& stored, Role) {
    if (stored.defined()) count += element_count(stored.shape());
  });
  return count;
}

// Makes every parameter a leaf of the graph, so that backward computes its gradient.
template <Module M> void require_grad(M& module) {
  for_each_tensor(module, [](const std::string&, auto& tensor, Role role) {
    if constexpr (is_differentiable_v<typename std::remove_cvref_t<decltype(tensor)>::Scalar>)
      if (role != Role::buffer) tensor.require_grad();
  });
}

// Cuts every parameter from the graph: it gets no gradient, and an optimiser made from now on leaves it alone.
template <Module M> void freeze(M& module) {
  for_each_tensor(module, [](const std::string&, auto& tensor, Role) { tensor = tensor.detach(); });
}

template <Module M> void clear_grad(M& module) {
  for_each_tensor(module, [](const std::string&, auto& tensor, Role) { tensor.clear_grad(); });
}

}  // namespace nn
}  // namespace atom

// SPDX-License-Identifier: Apache-2.0
// What is in a model's folder, a .safetensors or a .gguf file: the configuration, parameters, tensors, and the memory
// that it takes to run and to train. Reads headers and texts, no weights.
#include "cli.hpp"

#include <atom/atom.hpp>
#include <atom/io/chat_template.hpp>
#include <atom/io/gguf.hpp>
#include <atom/io/gguf_tokenizer.hpp>
#include <atom/io/tiktoken.hpp>
#include <atom/io/tokenizer_json.hpp>
#include <atom/pretrained/describe.hpp>
#include <atom/pretrained/folder.hpp>

#include <map>

using namespace atom;

namespace {

struct Options {
  std::string path;
  Index context = 0;
  bool tensors = false, json = false;
};

double as_double(auto number) { return static_cast<double>(number); }

// ---- what is stored ---------------------------------------------------------------------------------------------

struct Stored {
  std::string name;
  std::string type;
  Shape shape;
  Index bytes;
};

// The tensors of a file: number, bytes, and both by type.
io::Json stored(const std::vector<Stored>& tensors, bool list) {
  struct Sum {
    Index tensors = 0, bytes = 0;
  };
  std::map<std::string, Sum, std::less<>> sums;
  Sum all;
  Index elements = 0;
  io::Json::Array rows;
  for (const auto& [name, type, shape, bytes] : tensors) {
    for (Sum* sum : {&all, &sums[type]}) {
      ++sum->tensors;
      sum->bytes += bytes;
    }
    elements += element_count(shape);
    if (list)
      rows.push_back(io::Json::object({{"name", name},
                                       {"type", type},
                                       {"shape", std::vector<Index>(shape.begin(), shape.end())},
                                       {"bytes", bytes}}));
  }
  auto types = io::Json::object();
  for (const auto& [name, sum] : sums)
    types.set(name, io::Json::object({{"tensors", sum.tensors}, {"bytes", sum.bytes}}));
  auto json =
      io::Json::object({{"tensors", all.tensors}, {"elements", elements}, {"bytes", all.bytes}, {"types", types}});
  if (list) json.set("list", rows);
  return json;
}
io::Json stored(const io::Safetensors& file, bool list) {
  std::vector<Stored> tensors;
  for (const auto& t : file.tensors())
    tensors.push_back({t.name, std::string(name_of(t.dtype)), t.shape, static_cast<Index>(t.bytes())});
  return stored(tensors, list);
}
io::Json stored(const io::Gguf& file, bool list) {
  std::vector<Stored> tensors;
  for (const auto& t : file.tensors())
    tensors.push_back({t.name, std::string(name_of(t.type)), t.shape, static_cast<Index>(t.bytes())});
  return stored(tensors, list);
}

// ---- what it takes ----------------------------------------------------------------------------------------------

// Values that a training step keeps of each token for its backward pass, roughly: what norms, products and activations
// read.
double activations_per_token(const models::TransformerConfig& c) {
  double sum = 2 * as_double(c.width);
  for (Index i = 0; i < c.layers; ++i) {
    const bool sparse = !c.layer.empty() && c.layer[static_cast<std::size_t>(i)].sparse;
    const Index hidden = sparse ? c.moe.active * c.moe.expert_width + c.moe.shared_width : c.feed_forward;
    const auto& a = c.latent;
    const Index attention = a.kv_rank > 0 ? c.heads * 2 * (a.nope_dim + a.rope_dim + a.value_dim) + a.q_rank + a.kv_rank
                                          : 2 * (c.heads + c.kv_heads) * c.head_dim;
    sum += as_double(4 * c.width + attention + (c.gated ? 3 : 2) * hidden);
  }
  return sum;
}

io::Json memory(const models::MetaTransformer& model, Index total, std::optional<Index> stored_bytes, Index context) {
  const auto& c = model.config;
  if (context == 0) context = std::min<Index>(c.context, 8192);
  const double cache_bytes = static_cast<double>(model.make_cache(1, context).bytes());
  constexpr double in_float = sizeof(float);
  const double weights = in_float * as_double(total),
               activations = in_float * as_double(context) * activations_per_token(c);
  auto json = io::Json::object({{"context", context}, {"kv_cache", cache_bytes}});
  if (stored_bytes) json.set("weights_as_stored", *stored_bytes);
  json.set("weights_in_float", weights);
  json.set("run", cache_bytes + (stored_bytes ? as_double(*stored_bytes) : weights));
  json.set("activations", activations);
  json.set("train", 4 * weights + activations);  // weights, gradients, two moments
  return json;
}

// ---- what lies beside it ----------------------------------------------------------------------------------------

std::string about(const io::Tokenizer& tokenizer) {
  return to_text(tokenizer.model().symbols() == io::BpeSymbols::bytes ? "byte-level BPE" : "BPE of characters", ", ",
                 tokenizer.size(), " tokens, ", tokenizer.added().size(), " of them added");
}

// What `read` says, or why it cannot.
std::string try_to(const std::string& name, const auto& read) {
  try {
    return to_text(name, ": ", read());
  } catch (const Error& error) {
    return to_text(name, ": ", error.what());
  }
}

std::string tokenizer_in(const std::string& folder) {
  if (io::exists(folder + "/tokenizer.json"))
    return try_to("tokenizer.json", [&] { return about(io::load_tokenizer(folder)); });
  if (io::exists(folder + "/tiktoken.model"))
    return try_to("tiktoken.model", [&] { return about(io::load_tiktoken(folder)); });
  return "none";
}

std::string about_template(const std::string& source) {
  const io::ChatTemplate parsed(source);
  return to_text(source.size(), " bytes");
}

std::string template_in(const std::string& folder) {
  if (const std::string file = folder + "/chat_template.jinja"; io::exists(file))
    return try_to("chat_template.jinja", [&] { return about_template(io::read_file(file)); });
  const std::string config = folder + "/tokenizer_config.json";
  if (!io::exists(config)) return "none";
  const io::Json json = io::read_json(config);
  const io::Json* found = json.find("chat_template");
  if (found == nullptr || found->is_null()) return "none";
  return try_to("tokenizer_config.json", [&] {
    if (found->is_string()) return about_template(found->as<std::string>());
    return to_text(found->elements(config).size(), " templates by name");
  });
}

// ---- reports ----------------------------------------------------------------------------------------------------

std::string quantisation_name(const pretrained::Quantisation& q) {
  using Kind = pretrained::Quantisation::Kind;
  if (q.kind == Kind::fp8) return to_text("fp8 in blocks of ", q.block[0], " x ", q.block[1]);
  return q.kind == Kind::mxfp4 ? "mxfp4" : "none";
}

io::Json report_folder(const Options& options) {
  const std::string& folder = options.path;
  const bool weights =
      io::exists(folder + "/model.safetensors") || io::exists(folder + "/model.safetensors.index.json");
  const std::string config_path = folder + "/config.json";
  const auto published = weights ? pretrained::read_model(folder) : pretrained::read_config(io::read_json(config_path));
  const auto& c = published.config;
  const auto model = models::meta_transformer(c);
  const auto count = models::parameter_count(model);

  auto json =
      io::Json::object({{"path", folder}, {"model_type", published.family ? published.family->model_type : "atom"}});
  if (published.family) json.set("architecture", published.family->architecture);
  json.set("sizes", io::Json::object({{"layers", c.layers},
                                      {"width", c.width},
                                      {"heads", c.heads},
                                      {"kv_heads", c.kv_heads},
                                      {"head_dim", c.head_dim},
                                      {"feed_forward", c.feed_forward},
                                      {"vocab", c.vocab},
                                      {"context", c.context}}));
  json.set("unlike_llama", pretrained::unlike_llama(c));
  json.set("layers", pretrained::layer_pattern(c));
  json.set("parameters", io::Json::object({{"total", count.total},
                                           {"active", count.active},
                                           {"embedding", count.embedding},
                                           {"experts", count.experts},
                                           {"mtp", count.mtp},
                                           {"buffers", count.buffers}}));
  json.set("quantisation", quantisation_name(published.quantisation));
  std::optional<Index> bytes;
  if (weights) {
    json.set("stored", stored(io::Safetensors(folder), options.tensors));
    bytes = json.at("stored").get<Index>("bytes");
  }
  json.set("memory", memory(model, count.total, bytes, options.context));
  json.set("tokenizer", tokenizer_in(folder));
  json.set("chat_template", template_in(folder));
  json.set("unread", published.unread);
  return json;
}

io::Json report_safetensors(const Options& options) {
  const io::Safetensors file(options.path);
  auto metadata = io::Json::object();
  for (const auto& [key, value] : file.metadata()) metadata.set(key, value);
  return io::Json::object({{"path", options.path}, {"metadata", metadata}, {"stored", stored(file, options.tensors)}});
}

io::Json report_gguf(const Options& options) {
  const io::Gguf file(options.path);
  auto metadata = io::Json::object();
  for (const auto& [key, value] : file.metadata().entries())
    metadata.set(key,
                 value.is_array() || value.type() != io::GgufType::text ? to_text(value) : value.as<std::string>(key));
  auto json = io::Json::object({{"path", options.path},
                                {"architecture", file.metadata().get_or<std::string>("general.architecture", "none")},
                                {"metadata", metadata},
                                {"stored", stored(file, options.tensors)}});
  if (file.metadata().contains("tokenizer.ggml.model"))
    json.set("tokenizer", try_to("GGUF", [&] { return about(io::gguf_tokenizer(file.metadata(), options.path)); }));
  if (const auto* source = file.metadata().find("tokenizer.chat_template"))
    json.set("chat_template", try_to("GGUF", [&] { return about_template(source->as<std::string>("chat_template")); }));
  return json;
}

// ---- as text ----------------------------------------------------------------------------------------------------

std::string size_text(double bytes) {
  const char* const units[] = {"bytes", "kB", "MB", "GB", "TB", "PB", "EB"};
  int unit = 0;
  for (; bytes >= 1000 && unit < 6; ++unit) bytes /= 1000;
  return fmt::format("{:.{}f} {}", bytes, unit == 0 ? 0 : bytes < 10 ? 2 : 1, units[unit]);
}

std::string thousands(Index number) {
  std::string text = to_text(number);
  for (auto at = std::ssize(text) - 3; at > 0; at -= 3) text.insert(static_cast<std::size_t>(at), ",");
  return text;
}

std::string plain(const io::Json& value) { return value.is_string() ? value.as<std::string>() : to_text(value); }

void print_stored(const io::Json& stored) {
  std::string types;
  for (const auto& [name, sum] : stored.at("types").members())
    types += fmt::format("{}{} {} in {}", types.empty() ? "" : ", ", name,
                         size_text(as_double(sum.get<Index>("bytes"))), sum.get<Index>("tensors"));
  fmt::print("stored      {} tensors, {} elements, {}: {}\n", stored.get<Index>("tensors"),
             thousands(stored.get<Index>("elements")), size_text(as_double(stored.get<Index>("bytes"))), types);
}

void print_model(const io::Json& report) {
  const auto& s = report.at("sizes");
  const auto size = [&](const char* name) { return s.get<Index>(name); };
  fmt::print("model       {} ({})\n", plain(report.at("model_type")),
             report.contains("architecture") ? plain(report.at("architecture")) : "our own form");
  const auto heads =
      report.at("unlike_llama").contains("latent")
          ? to_text(size("heads"), " heads")
          : to_text(size("heads"), " heads of ", size("head_dim"), " over ", size("kv_heads"), " of keys");
  fmt::print("sizes       {} layers of {}, {}, feed-forward {}, {} tokens, context {}\n", size("layers"), size("width"),
             heads, size("feed_forward"), size("vocab"), size("context"));
  for (const char* title = "unlike      a plain Llama block: ";
       const auto& [name, value] : report.at("unlike_llama").members())
    fmt::print("{}{} {}\n", std::exchange(title, "                                 "), name, plain(value));
  if (const auto layers = report.get<std::string>("layers"); !layers.empty()) fmt::print("layers      {}\n", layers);
  const auto& p = report.at("parameters");
  const auto count = [&](const char* name) { return p.get<Index>(name); };
  fmt::print("parameters  {}, of the embedding {}", thousands(count("total")), thousands(count("embedding")));
  if (count("experts") > 0)
    fmt::print(", of experts {}, active for each token {}", thousands(count("experts")), thousands(count("active")));
  if (count("mtp") > 0) fmt::print(", of multi-token prediction {}", thousands(count("mtp")));
  fmt::print("\n");
}

void print_memory(const io::Json& m) {
  const auto bytes = [&](const char* name) { return size_text(m.get<double>(name)); };
  const bool as_stored = m.contains("weights_as_stored");
  fmt::print("to run      {}: weights {} {}, keys and values of {} tokens {}\n", bytes("run"),
             as_stored ? "as stored" : "in float", bytes(as_stored ? "weights_as_stored" : "weights_in_float"),
             m.get<Index>("context"), bytes("kv_cache"));
  fmt::print(
      "to train    {}: weights, gradients and two moments in float 4 x {}, activations of {} tokens roughly {}\n",
      bytes("train"), bytes("weights_in_float"), m.get<Index>("context"), bytes("activations"));
}

void print_report(const io::Json& report) {
  fmt::print("path        {}\n", plain(report.at("path")));
  if (report.contains("sizes")) {
    print_model(report);
    fmt::print("quantised   {}\n", plain(report.at("quantisation")));
  } else if (report.contains("architecture")) {
    fmt::print("model       {}\n", plain(report.at("architecture")));
  }
  if (const auto* stored = report.find("stored")) print_stored(*stored);
  if (const auto* m = report.find("memory")) print_memory(*m);
  for (const char* name : {"tokenizer", "chat_template"})
    if (const auto* found = report.find(name))
      fmt::print("{:11} {}\n", name[0] == 't' ? name : "template", plain(*found));
  if (const auto* unread = report.find("unread")) {
    std::string names;
    for (const auto& name : unread->elements()) names += (names.empty() ? "" : ", ") + plain(name);
    fmt::print("ignored     {}\n", names.empty() ? "no key of config.json" : names);
  }
  if (const auto* metadata = report.find("metadata"))
    for (const auto& [key, value] : metadata->members()) {
      const std::string text = plain(value), start = io::in_quotes(std::string_view(text).substr(0, 100), 1000);
      fmt::print("  {} = {}{}\n", key, start.substr(1, start.size() - 2), text.size() > 100 ? " ..." : "");
    }
  if (!report.contains("stored") || !report.at("stored").contains("list")) return;
  fmt::print("\n");
  for (const auto& tensor : report.at("stored").at("list").elements())
    fmt::print("{:60} {:8} {:>20} {:>14}\n", plain(tensor.at("name")), plain(tensor.at("type")),
               plain(tensor.at("shape")), thousands(tensor.get<Index>("bytes")));
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{
      "Tells what a model is: configuration, parameters, tensors, and the memory it takes. Reads no weights.\n"
      "Example: inspect SmolLM2-135M --tensors"};
  app.add_option("path", options.path, "Hugging Face folder, FILE.safetensors or FILE.gguf")->required();
  app.add_option("--context", options.context, "tokens of the caches; 0: the model's context, at most 8192")
      ->check(CLI::NonNegativeNumber);
  app.add_flag("--tensors", options.tensors, "list every tensor: name, type, shape, bytes");
  app.add_flag("--json", options.json, "one JSON object on stdout");
  return cli::run(app, argc, argv, [&] {
    const std::string& path = options.path;
    const io::Json report = io::is_folder(path)       ? report_folder(options)
                            : path.ends_with(".gguf") ? report_gguf(options)
                                                      : report_safetensors(options);
    if (options.json)
      fmt::print("{}\n", to_text(report));
    else
      print_report(report);
    return 0;
  });
}

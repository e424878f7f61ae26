#include "networks.hpp"

#include <moecnn/zoo/enet.hpp>

moecnn::AnyNet segmentation::enet(const NetOptions& o) { return with_mixtures<ENet>(o); }

#include "networks.hpp"

#include <moecnn/zoo/lraspp.hpp>

moecnn::AnyNet segmentation::lraspp(const NetOptions& o) { return with_mixtures<LrAspp>(o); }

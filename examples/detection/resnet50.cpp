#include "networks.hpp"

#include <moecnn/zoo/resnet50.hpp>

moecnn::AnyNet detection_program::retinanet_resnet50(const NetOptions& o) { return with_classes<ResNet50<>>(o); }

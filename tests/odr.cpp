// Linked into every test program beside its own sources: a definition in a header that is neither inline nor a template
// then exists twice and the link fails.
#include "moecnn/analysis/confusion.hpp"
#include "moecnn/analysis/routing.hpp"
#include "moecnn/data/bdd100k.hpp"
#include "moecnn/data/camvid.hpp"
#include "moecnn/data/check_segmentation.hpp"
#include "moecnn/data/cityscapes.hpp"
#include "moecnn/data/segmentation_loader.hpp"
#include "moecnn/data/synthetic_street.hpp"
#include "moecnn/detection/coco_metric.hpp"
#include "moecnn/detection/decode.hpp"
#include "moecnn/detection/matcher.hpp"
#include "moecnn/moecnn.hpp"
#include "moecnn/report/segmentation_report.hpp"
#include "moecnn/report/study_table.hpp"
#include "moecnn/zoo/cifar_moe.hpp"
#include "moecnn/zoo/deeplabv3plus.hpp"
#include "moecnn/zoo/enet.hpp"
#include "moecnn/zoo/erfnet.hpp"
#include "moecnn/zoo/lraspp.hpp"
#include "moecnn/zoo/pspnet.hpp"
#include "moecnn/zoo/unet.hpp"

#if defined(MOECNN_HAS_ONEDNN)
#include "moecnn/backend/onednn.hpp"
#endif
